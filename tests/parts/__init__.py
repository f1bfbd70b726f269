"""Real parts as pytest fixtures: see README.md of this folder."""
