"""A batch of records, from bytes to a committed ledger."""
