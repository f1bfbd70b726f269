"""`python -m tests.recovery.defective run`: a release of the worker that cannot fold every third order's shipment."""

from __future__ import annotations

from zlib import crc32

from contracts.events import ShipmentDispatched
from worker.__main__ import main
from worker.decide import shipments
from worker.decide.account import Account
from worker.decide.fact_types import FACT_TYPES


def cannot_be_folded(order_id: str) -> bool:
    """Whether the defect strikes at a shipment of this order."""
    return crc32(order_id.encode()) % 3 == 0


def _dispatched(account: Account, data: ShipmentDispatched) -> None:
    if cannot_be_folded(data.order_id):
        raise ValueError(f"what a defect says may hold anything: {data.order_id}")
    shipments.dispatched(account, data)


if __name__ == "__main__":
    assert isinstance(FACT_TYPES, dict)
    FACT_TYPES[ShipmentDispatched] = FACT_TYPES[ShipmentDispatched]._replace(handle=_dispatched)
    main()
