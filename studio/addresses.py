"""Where the served page listens, and under which names it may be asked."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence

from engine.core.errors import StudioError

PORTS = {"http": 80, "https": 443}
"""What a browser leaves out of an address."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections there. Raises StudioError."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _unknown(host, error) from error
    try:
        listener.bind(place)
    except PermissionError as error:
        listener.close()
        raise StudioError(
            f"Port {port} may not be used.",
            f"The system answered “{error.strerror}”.",
            "Choose a port from 1024 up with --port.",
        ) from error
    except OSError as error:
        listener.close()
        raise _taken(host, port, error) from error
    return listener


def _unknown(host: str, error: OSError) -> StudioError:
    return StudioError(
        f"“{host}” is not an address of this machine.",
        f"The system answered “{error.strerror}”.",
        "Use an address that this machine has, or 0.0.0.0 for all of them.",
    )


def _taken(host: str, port: int, error: OSError) -> StudioError:
    if error.errno == errno.EADDRNOTAVAIL:
        return _unknown(host, error)
    return StudioError(
        f"Port {port} is in use.",
        f"The system answered “{error.strerror}”.",
        "Choose another port with --port, or leave it out to get a free one.",
    )


def hosts(host: str, port: int, scheme: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The Host headers that are answered: this address or, for all addresses, this machine's; and further names."""
    if is_loopback(host):
        own = {host, "localhost"}
    elif host in ("0.0.0.0", "::"):
        own = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *_addresses()}
    else:
        own = {host}
    own |= set(names)
    written = sorted(f"[{each}]" if ":" in each else each.lower() for each in own)
    bare = written if port == PORTS[scheme] else []
    return tuple(f"{each}:{port}" for each in written) + tuple(bare)


def _addresses() -> set[str]:
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    found = (each for addresses in psutil.net_if_addrs().values() for each in addresses if each.family in families)
    return {each.address.partition("%")[0] for each in found}
