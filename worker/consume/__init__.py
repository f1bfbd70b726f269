"""Kafka in: records of the assigned partitions, in step, in batches, each with the move of positions that it makes."""
