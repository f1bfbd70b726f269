"""One contract for two stores: Postgres and the one in memory that simulations use."""
