"""Who may call a source: a comma list of calling AE titles, each with optional `@address` or `@network`; `*` is any."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from radrelay.intake.errors import SourceInvalid

AE_LENGTH = 16


def check_ae_title(title: str) -> str:
    """Return `title` without padding; raises `SourceInvalid` when it is no AE title (PS3.5 6.2, VR AE)."""
    clean = title.strip(" ")
    if not clean or len(clean) > AE_LENGTH or "\\" in clean or any(not 32 <= ord(c) < 127 for c in clean):
        message = f"{title!r} is no AE title: 1 to 16 printable ASCII characters without a backslash"
        raise SourceInvalid(message, field="ae_title")
    return clean


def check_callers(callers: str) -> str:
    """Return the list in its plain form; raises `SourceInvalid` naming the entry that is wrong."""
    return ",".join(f"{title}@{network}" if network else title for title, network in _entries(callers)) or "*"


def check_waiting(callers: str, kind: str) -> str:
    """Return whose objects wait for a release by hand, in its plain form; raises `SourceInvalid`.

    Nobody's (empty), everybody's (`*`), or of a DICOM source those of some calling AE titles.
    """
    titles = [title.strip() for title in callers.split(",") if title.strip()]
    if not titles or "*" in titles:
        return "*" if titles else ""
    if kind != "dicom":
        raise SourceInvalid("only what comes by DICOM has a calling AE title", field="release_by_hand")
    try:
        return ",".join(dict.fromkeys(check_ae_title(title) for title in titles))
    except SourceInvalid as error:
        raise SourceInvalid(error.message, field="release_by_hand") from error


def waits(callers: str, calling_ae: str) -> bool:
    """Return whether what `calling_ae` brings waits for a release by hand."""
    return callers == "*" or (bool(callers) and calling_ae.strip(" ") in callers.split(","))


def allows(callers: str, calling_ae: str, address: str) -> bool:
    """Return whether the list lets `calling_ae` call from the IP address `address`."""
    return any(
        (title in ("*", calling_ae.strip(" "))) and (not network or _within(address, network))
        for title, network in _entries(callers)
    )


def _entries(callers: str) -> Iterator[tuple[str, str]]:
    for entry in callers.split(","):
        title, _, network = entry.strip().partition("@")
        if not title and not network:
            continue
        if network:
            try:
                ipaddress.ip_network(network.strip(), strict=False)
            except ValueError as error:
                raise SourceInvalid(f"{network!r} is no IP address or network", field="callers") from error
        yield ("*" if title in ("", "*") else check_ae_title(title)), network.strip()


def _within(address: str, network: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found in ipaddress.ip_network(network, strict=False)
