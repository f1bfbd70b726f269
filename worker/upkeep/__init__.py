"""The ledger looked after: checked, folded anew, restored, taken over, and made to forget."""
