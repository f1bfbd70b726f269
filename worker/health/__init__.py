"""The probe port: is it alive, is it ready, what has it counted. Runs beside the app and does not depend on it."""

from worker.health.server import Condition, ProbeServer

__all__ = ["Condition", "ProbeServer"]
