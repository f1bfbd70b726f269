"""The database of the ledger: migrations, roles, invariants, and what brings a database up to date."""
