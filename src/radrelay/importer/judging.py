"""Which addresses are portals on the internet: no private, link-local or loopback ones, and none of our own.

A name is resolved once; all its addresses are judged, and those that passed are what is connected to. One address that
does not pass condemns the name: a portal has no business beside this house's own machines. Addresses of IPv6 that
stand for one of IPv4 are refused (mapped, compatible, 6to4, Teredo, ISATAP); NAT64's, which networks without IPv4 give
to every portal (RFC 6052), are judged by the one that they carry.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from radrelay.importer.errors import AddressRefused, PortalUnreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

RESOLVED_S = 15.0
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
INSIDE_ENDINGS = ("localhost", "local", "internal", "lan", "home.arpa")
"""Names below these, and names of one part, are of a house's own network (RFC 6761, 6762, 8375; ICANN: `internal`)."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
_REFUSED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges addresses.

    `own` are this installation's, `own_name` is under which people outside reach it. `loopback` lets this machine pass,
    for trials and tests; `inside` lets a house's own networks pass, for whoever tests a provider at the command line:
    never for what a page is given.
    """

    resolve: Resolver
    own: Callable[[], frozenset[str]] = frozenset
    loopback: bool = False
    inside: bool = False
    own_name: str = ""

    def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, all judged; raises `AddressRefused`, `PortalUnreachable`."""
        literal = _literal(host)
        found = [str(literal)] if literal is not None else list(self.resolve(host, port))
        if not found:
            raise PortalUnreachable(f"{host} has no address", host=host, reason="no address")
        own = {_carried(ipaddress.ip_address(one)) for one in self.own()}
        for one in found:
            self._require(host, _plain(one), own)
        return found

    def require_outside(self, host: str) -> None:
        """Raise `AddressRefused` for what is inside as it is written; no name is resolved for it."""
        literal = _literal(host)
        if literal is not None:
            self._require(host, literal, {_carried(ipaddress.ip_address(one)) for one in self.own()})
            return
        name = host.rstrip(".").lower()
        if self.loopback and name in LOOPBACK_NAMES:
            return
        inside = "." not in name or any(name.endswith(f".{one}") for one in INSIDE_ENDINGS)
        if name == self.own_name or (inside and not self.inside):
            raise AddressRefused(f"{host} does not lead to a portal on the internet", host=host)

    def passes(self, address: str) -> bool:
        """Tell whether one address would pass."""
        try:
            self.addresses(address, 0)
        except AddressRefused:
            return False
        return True

    def _require(self, host: str, address: Address, own: Iterable[Address]) -> None:
        carried = _carried(address)
        if self.loopback and address.is_loopback:
            return
        if (
            self.inside
            and address.is_private
            and not (address.is_link_local or address.is_loopback or int(address) == 0)
        ):
            return
        if not is_public(address) or carried in own:
            raise AddressRefused(f"{host} does not lead to a portal on the internet", host=host)


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the internet at large."""
    carried = _carried(address)
    if carried.version == 6 and (carried not in _GLOBAL_UNICAST or int(carried) >> 32 & 0xFFFFFFFF in _ISATAP):
        return False
    listed = any(carried.version == net.version and carried in net for net in _REFUSED)
    return carried.is_global and not carried.is_multicast and not listed


def resolve(host: str, port: int, within_s: float = RESOLVED_S) -> list[str]:
    """Return what the system's resolver says, each address once; raises `PortalUnreachable`.

    The system's resolver knows no deadline: one that takes too long is left to end by itself.
    """
    told: list[list[str] | OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            told.append(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            told.append(error)

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(within_s)
    if not told:
        raise PortalUnreachable(f"{host} was not found in time", host=host, reason="the name was not found in time")
    if not isinstance(told[0], list):
        raise PortalUnreachable(f"{host} is not known", host=host, reason="the name is not known") from told[0]
    return told[0]


def own_addresses() -> frozenset[str]:
    """Return the addresses that this machine's name stands for; those of its interfaces are private or pass by it."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return frozenset()
    return frozenset(str(entry[4][0]).partition("%")[0] for entry in found)


def _literal(host: str) -> Address | None:
    """Return an address that is written as one; raises `AddressRefused` for what only old parsers take as one.

    `0x7f.1`, `2130706433` and `127.1` are loopback to the system's resolver (inet_aton) and names to us.
    """
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    last = host.rstrip(".").rpartition(".")[2].lower()
    if last.isdigit() or last.startswith("0x"):
        raise AddressRefused(f"{host} is no name of a portal", host=host)
    return None


def _plain(text: str) -> Address:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError as error:
        raise AddressRefused(f"{text} is no address", host=text) from error


def _carried(address: Address) -> Address:
    """Return the address of IPv4 that one of NAT64 carries, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
