"""How long somebody who guesses has to wait: each failure beyond the free ones doubles it.

Knows nothing of passwords or of HTTP. Time is monotonic: a clock that is set changes no wait.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

LONGEST = 900.0
"""Seconds of a wait at most."""
FORGOTTEN = 3600.0
"""Seconds after which a failure no longer counts."""
KEPT = 4096
"""Names and addresses remembered at once; the oldest go first."""


class Attempts:
    """Failures by account or by address. `free` of them cost nothing: people mistype."""

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until the next try."""
        count, last = self._of(key)
        if count < self._free:
            return 0.0
        return max(0.0, last + min(LONGEST, 2.0 ** (count - self._free)) - self._clock())

    def failed(self, key: str) -> None:
        """Count a failure."""
        count, _ = self._of(key)
        self._failures[key] = (count + 1, self._clock())
        self._failures.move_to_end(key)
        while len(self._failures) > KEPT:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """Begin anew: it was the right one."""
        self._failures.pop(key, None)

    def _of(self, key: str) -> tuple[int, float]:
        count, last = self._failures.get(key, (0, 0.0))
        return (0, 0.0) if self._clock() - last > FORGOTTEN else (count, last)


def address_key(address: str) -> str:
    """What counts as one address: all of an IPv6 network that one customer gets is one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
