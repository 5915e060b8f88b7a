"""How many connections one address may have, how quickly new ones, how many unfinished: before anything else.

An address is an IPv4 address or an IPv6 /64, which is what one household or device has. All numbers are the settings'.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Literal, Protocol

Refusal = Literal["full", "address-full", "address-rate", "address-unfinished"]
FORGOTTEN_S = 60.0


class Bounds(Protocol):
    """What the settings say."""

    @property
    def max_connections(self) -> int:
        """Connections at once."""
        ...

    @property
    def per_address(self) -> int:
        """Of one address."""
        ...

    @property
    def per_address_rate(self) -> float:
        """New ones of one address in a second, on average."""
        ...

    @property
    def per_address_burst(self) -> int:
        """New ones of one address at once."""
        ...

    @property
    def per_address_unfinished(self) -> int:
        """Of one address that have not said yet whom they want."""
        ...


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float


class Limits:
    """Counts what is open, by address."""

    def __init__(self, bounds: Bounds, most: int) -> None:
        """Begin to count; `most` is what the system gives, however much the settings would like."""
        self._bounds = bounds
        self._most = min(bounds.max_connections, most)
        self._open: Counter[str] = Counter()
        self._unfinished: Counter[str] = Counter()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self.total = 0

    def admit(self, address: str, now: float) -> Refusal | None:
        """Count a new connection that is unfinished, or say why it is refused."""
        bounds = self._bounds
        if self.total >= self._most:
            return "full"
        if self._open[address] >= bounds.per_address:
            return "address-full"
        if self._unfinished[address] >= bounds.per_address_unfinished:
            return "address-unfinished"
        if not self._allowed(address, now):
            return "address-rate"
        self.total += 1
        self._open[address] += 1
        self._unfinished[address] += 1
        return None

    def finished(self, address: str) -> None:
        """Take note that a connection has said whom it wants."""
        _less(self._unfinished, address)

    def closed(self, address: str) -> None:
        """Take note that a connection has ended."""
        self.total -= 1
        _less(self._open, address)

    def _allowed(self, address: str, now: float) -> bool:
        burst, rate = self._bounds.per_address_burst, self._bounds.per_address_rate
        one = self._allowances.pop(address, None) or _Allowance(burst, now)
        one.left = min(burst, one.left + (now - one.at) * rate)
        one.at = now
        self._allowances[address] = one  # the last used stand last
        while self._allowances:
            oldest = next(iter(self._allowances))
            if now - self._allowances[oldest].at < max(FORGOTTEN_S, burst / rate):
                break
            del self._allowances[oldest]
        if one.left < 1:
            return False
        one.left -= 1
        return True


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def counted_as(host: str) -> str:
    """Return under which address a host counts."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def plain_host(host: str) -> str:
    """Return an address as it is written in records: IPv4 in IPv6 as IPv4, no zone."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
