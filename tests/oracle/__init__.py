"""A second statement of the rules of three programs, naive and slow, to compare the fold with."""
