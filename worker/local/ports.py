"""Free TCP ports for local parts."""

from __future__ import annotations

import random
import socket

# Below the range that systems give to outgoing connections: a port that waits for its restarted server is not taken by a
# client meanwhile (which would then even talk to itself).
LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
TRIES_MAX = 500
HOST = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports of this machine that nobody listens on; raises OSError if they are not to be found."""
    found: list[int] = []
    for port in random.sample(range(LOWEST_PORT, HIGHEST_PORT), TRIES_MAX):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return tuple(found)
    raise OSError(f"no {count} free ports between {LOWEST_PORT} and {HIGHEST_PORT}")


def listening(port: int) -> bool:
    """Whether something accepts connections at this port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
