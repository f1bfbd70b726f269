"""Real parts on this machine - Kafka and Postgres - for the demo and for the tests.

Public: LocalPostgres, find_binaries · LocalKafka, MockKafka, choose_kafka, open_kafka · Process, stop_kept · PartFailed.
Each starts and stops only what it started itself; all its state lies in the directory that it was given.
"""
