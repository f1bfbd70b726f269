"""The ledger checked, folded anew, restored, and taken over from another one."""
