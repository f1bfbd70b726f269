"""Faults on real parts: see README.md of this folder."""
