"""Ledgers without a server: simulations, what-ifs and worked examples, by the same fold."""
