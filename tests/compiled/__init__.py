"""Compiled code and code as it was written keep the same ledgers."""
