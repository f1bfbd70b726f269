"""What other teams and tools rely on: events, terms, their schemas and examples."""
