"""Names of the headers on dead-letter topics; key and value of the record stay as they were sent."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "loyalty_"
"""Headers of this name are ours; a sender's own go on under `SENT`."""
SENT: Final = "sent_"
"""Put before the name of a header that a sender called as ours are: `sent_loyalty_error`."""
HEADER_ERROR: Final = "loyalty_error"
"""Reason, from a closed set."""
HEADER_DETAIL: Final = "loyalty_detail"
"""Where, what is wrong, what would be right; holds nothing of the payload."""
HEADER_PATH: Final = "loyalty_path"
"""Only where one attribute or field is at fault: which, by names and positions (`time`, `data.lines.0.unit_price`)."""
HEADER_TOPIC: Final = "loyalty_topic"
HEADER_PARTITION: Final = "loyalty_partition"
HEADER_OFFSET: Final = "loyalty_offset"
HEADER_POINTER: Final = "loyalty_pointer"
"""Only when the record is too large to be sent again: which dead letter in the database holds its bytes. The value is
empty then."""
