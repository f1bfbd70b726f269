"""Deterministic simulation: one seed makes a world and a schedule of faults; the ledger must come out right."""
