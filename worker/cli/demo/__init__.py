"""`loyalty demo`: a day of a shop's life through a real worker, with a Postgres and a Kafka of its own."""

from worker.cli.demo.play import play
from worker.cli.demo.stage import stop_kept_demo

__all__ = ["play", "stop_kept_demo"]
