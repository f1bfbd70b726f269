"""What the ledger says, for people: statements and explanations."""
