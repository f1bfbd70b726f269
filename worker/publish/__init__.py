"""The relay: committed messages out of the outbox to Kafka, per account in order, at least once."""
