"""When to look again: accounts whose next instant has come, up to the watermark."""

from worker.due.loop import DueLoop, DueOptions, DueStore

__all__ = ["DueLoop", "DueOptions", "DueStore"]
