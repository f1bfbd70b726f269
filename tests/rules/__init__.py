"""The published terms as tests: one sentence of the terms, one test."""
