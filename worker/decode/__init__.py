"""Bytes of a Kafka record → a typed event, or the reason why there is none."""

from worker.decode.decode import decode
from worker.decode.record import Admission, Broken, Limits, Reason, Record, Skipped
from worker.decode.signatures import Signatures

__all__ = ["Admission", "Broken", "Limits", "Reason", "Record", "Signatures", "Skipped", "decode"]
