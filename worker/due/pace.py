"""How far and how fast due instants are taken. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def due_until(watermark: datetime | None, now: datetime, grace: timedelta) -> datetime | None:
    """Up to when instants may be taken: the watermark less a grace, never ahead of now; None while nothing was read."""
    return None if watermark is None else min(watermark, now) - grace


def pause_seconds(spent_seconds: float, share_max: float) -> float:
    """How long to leave the worker to events that wait, after `spent_seconds` on due accounts, so that these take at most
    `share_max` (0 to 1) of the time."""
    return spent_seconds * (1.0 - share_max) / share_max
