"""Calling AE titles and what proves them: an AE title is only a word, which anybody can say.

A title is bound to addresses, to the subject of a TLS client certificate, or to its fingerprint; all that is given
must fit. Who calls itself by a bound title and does not fit is an impostor; what a title was granted, it does not get.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access.models import Device, SuspendedDevice
from radrelay.errors import Invalid, NotFound
from radrelay.storage.remembering import remember_gone, remember_rows

LONGEST_TITLE = 16
MOST_ADDRESSES = 50
Verdict = Literal["bound", "unbound", "impostor", "suspended"]
_DEVICE, _SUSPENDED = Device.__table__.c, SuspendedDevice.__table__.c


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: by which title, from which address, with which verified certificate, if any (SHA-256, hex)."""

    ae_title: str
    address: str
    subject: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceView:
    """What a title is bound to: addresses or networks, a certificate's subject and SHA-256 (hex); empty: not asked."""

    ae_title: str
    addresses: tuple[str, ...]
    subject: str
    fingerprint: str
    description: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Binding:
    """What a title is to be bound to."""

    addresses: tuple[str, ...] = ()
    subject: str = ""
    fingerprint: str = ""
    description: str = ""


def devices(session: Session, organisation_id: uuid.UUID) -> list[DeviceView]:
    """Return the bound titles in their order."""
    mine = sa.select(Device).where(Device.organisation_id == organisation_id).order_by(Device.ae_title)
    return [_view(row) for row in session.scalars(mine)]


def bind_device(
    session: Session, organisation_id: uuid.UUID, ae_title: str, wanted: Binding, now: datetime
) -> DeviceView:
    """Bind a title, in the place of what it was bound to; raises `Invalid` for what cannot fit anybody."""
    title, addresses, fingerprint = _title(ae_title), _addresses(wanted.addresses), _fingerprint(wanted.fingerprint)
    subject = wanted.subject.strip()[:400]
    if not addresses and not subject and not fingerprint:
        raise Invalid("a device is bound to an address or a certificate", field="addresses")
    row = session.get(Device, (organisation_id, title))
    if row is None:
        row = Device(organisation_id=organisation_id, ae_title=title)
        session.add(row)
    row.addresses, row.subject, row.fingerprint = ",".join(addresses), subject, fingerprint
    row.description, row.changed_at = " ".join(wanted.description.split())[:200], now
    session.flush()
    return _view(row)


def unbind_device(session: Session, organisation_id: uuid.UUID, ae_title: str) -> DeviceView:
    """Take a title's binding away and return it; raises `NotFound`."""
    row = session.get(Device, (organisation_id, ae_title.strip(" ")))
    if row is None:
        raise NotFound("no device is bound under this AE title")
    view = _view(row)
    session.delete(row)
    session.flush()
    return view


def judge(session: Session, organisation_id: uuid.UUID, caller: Caller) -> Verdict:
    """Say whether a caller is who its title is bound to, somebody else, of a title that is not bound, or suspended."""
    if is_suspended(session, organisation_id, caller.ae_title):
        return "suspended"
    row = session.execute(
        sa.select(_DEVICE.addresses, _DEVICE.subject, _DEVICE.fingerprint).where(
            _DEVICE.organisation_id == organisation_id, _DEVICE.ae_title == caller.ae_title.strip(" ")
        )
    ).one_or_none()
    if row is None:
        return "unbound"
    fits = (
        (not row.addresses or any(_within(caller.address, one) for one in row.addresses.split(",")))
        and (not row.subject or row.subject == caller.subject)
        and (not row.fingerprint or row.fingerprint == caller.fingerprint)
    )
    return "bound" if fits else "impostor"


def suspend_device(session: Session, organisation_id: uuid.UUID, ae_title: str, at: datetime | None) -> None:
    """Refuse a title what it was granted until it is let in again (`at` none); what it sends is taken as before."""
    row = session.get(SuspendedDevice, (organisation_id, ae_title.strip(" ")), with_for_update=True)
    if row is not None and at is None:
        session.delete(row)
        key = {"organisation_id": organisation_id, "ae_title": row.ae_title}
        remember_gone(session, organisation_id, "access_suspended_device", key)
    elif row is None and at is not None:
        row = SuspendedDevice(organisation_id=organisation_id, ae_title=ae_title.strip(" "), suspended_at=at)
        session.add(row)
        remember_rows(session, row)
    session.flush()


def is_suspended(session: Session, organisation_id: uuid.UUID, ae_title: str) -> bool:
    """Say whether a title is refused what it was granted."""
    held = sa.select(_SUSPENDED.suspended_at).where(
        _SUSPENDED.organisation_id == organisation_id, _SUSPENDED.ae_title == ae_title.strip(" ")
    )
    return session.scalar(held) is not None


def is_loopback(address: str) -> bool:
    """Say whether an address is this machine itself."""
    try:
        return _ip(address).is_loopback
    except ValueError:
        return False


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def _within(address: str, network: str) -> bool:
    try:
        return _ip(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _title(ae_title: str) -> str:
    """Return a title without padding; raises `Invalid` for none (PS3.5 6.2, VR AE)."""
    clean = ae_title.strip(" ")
    if not clean or len(clean) > LONGEST_TITLE or "\\" in clean or any(not 32 <= ord(char) < 127 for char in clean):
        raise Invalid("an AE title has 1 to 16 printable ASCII characters without a backslash", field="ae_title")
    return clean


def _addresses(given: tuple[str, ...]) -> list[str]:
    if len(given) > MOST_ADDRESSES:
        raise Invalid(f"a device has at most {MOST_ADDRESSES} addresses", field="addresses")
    return list(dict.fromkeys(_plain(given)))


def _plain(given: tuple[str, ...]) -> Iterator[str]:
    for one in given:
        try:
            network = ipaddress.ip_network(one.strip(), strict=False)
        except ValueError as error:
            raise Invalid(f"{one!r} is no IP address or network", field="addresses") from error
        yield str(network.network_address) if network.num_addresses == 1 else str(network)


def _fingerprint(given: str) -> str:
    clean = re.sub(r"[:\s]", "", given).lower()
    if clean and not re.fullmatch(r"[0-9a-f]{64}", clean):
        raise Invalid("a fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits", field="fingerprint")
    return clean


def _view(row: Device) -> DeviceView:
    addresses = tuple(one for one in row.addresses.split(",") if one)
    return DeviceView(row.ae_title, addresses, row.subject, row.fingerprint, row.description, row.changed_at)
