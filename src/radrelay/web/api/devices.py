"""DICOM devices, for administrators: what proves that who calls itself by an AE title is that device."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay import access
from radrelay.access import Binding, DeviceView
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/devices", tags=["access"])


class Device(BaseModel):
    """A title and what it is bound to: IP addresses or networks, a TLS client certificate's subject (its common name)
    or SHA-256 fingerprint. All that is given must fit.
    """

    model_config = ConfigDict(from_attributes=True)

    ae_title: str
    addresses: list[str]
    subject: str
    fingerprint: str
    description: str
    changed_at: datetime


class Devices(BaseModel):
    """The bound titles. `unbound_may`: others, too, get what they were granted, from whatever address."""

    devices: list[Device]
    unbound_may: bool


class DeviceWanted(BaseModel):
    """What a title is to be bound to; at least one of the three."""

    model_config = ConfigDict(extra="forbid")

    addresses: list[str] = Field([], max_length=50)
    subject: str = Field("", max_length=400)
    fingerprint: str = Field("", max_length=100)
    description: str = Field("", max_length=200)


@router.get("")
def list_devices(services: Services, principal: Administrator) -> Devices:
    """List the devices."""
    with services.database.read() as session:
        found = access.devices(session, principal.organisation_id)
    return Devices(devices=[_shown(one) for one in found], unbound_may=services.settings.dicom.unbound_callers)


@router.put("/{ae_title}")
def bind(request: Request, services: Services, principal: Administrator, ae_title: str, wanted: DeviceWanted) -> Device:
    """Bind a title; it counts for the next question that it asks."""
    binding = Binding(tuple(wanted.addresses), wanted.subject, wanted.fingerprint, wanted.description)
    with services.database.write() as session:
        made = access.bind_device(session, principal.organisation_id, ae_title, binding, services.clock.now())
        detail = {"addresses": list(made.addresses), "subject": made.subject, "fingerprint": made.fingerprint}
        trail.write(session, trail.event(request, principal, "device.bind", ("ae", made.ae_title), detail=detail))
    return _shown(made)


@router.delete("/{ae_title}", status_code=204)
def unbind(request: Request, services: Services, principal: Administrator, ae_title: str) -> None:
    """Take a title's binding away; it then gets nothing, unless titles that are not bound may."""
    with services.database.write() as session:
        gone = access.unbind_device(session, principal.organisation_id, ae_title)
        detail = {"addresses": list(gone.addresses), "subject": gone.subject, "fingerprint": gone.fingerprint}
        trail.write(session, trail.event(request, principal, "device.unbind", ("ae", gone.ae_title), detail=detail))


def _shown(one: DeviceView) -> Device:
    return Device.model_validate(one)
