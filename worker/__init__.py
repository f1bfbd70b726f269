"""The points ledger worker: Kafka in, one fold, a Postgres ledger, events out."""
