"""The gateway, for administrators: how it stands with the relays, the certificate for outside, the site's checklist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from radrelay.errors import NotFound, RadrelayError
from radrelay.gateway.acme_account import AcmeAccount, is_binding_key
from radrelay.gateway.acme_files import AcmeFiles, plan_in, state_in
from radrelay.gateway.credentials import enrolments
from radrelay.gateway.errors import BindingKeyUnusable
from radrelay.gateway.public import checked, facts_of
from radrelay.gateway.standing import LinkState, standing
from radrelay.mail import require_address
from radrelay.settings import Settings
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services
from radrelay.web.problems import Trouble
from radrelay.web.services import WebServices
from radrelay.web.site_checklist import Checklist, checklist

router = APIRouter(prefix="/gateway", tags=["gateway"])


class Relay(BaseModel):
    """How it stands with one relay."""

    model_config = ConfigDict(from_attributes=True)

    relay: str
    connected: bool
    since: datetime | None
    site: str
    hosts: list[str]
    ports: list[int]
    public_port: int
    certificate_ends: datetime | None
    trouble: str
    breaks: int
    taken: int


class Certificate(BaseModel):
    """The certificate that browsers see which come through a relay."""

    names: list[str]
    ends_at: datetime | None
    missing: list[str]
    """Host names of ours at a relay that it is not for."""
    is_set: bool
    """It is named in the settings and changed there."""
    is_alone: bool
    """Its chain lacks the certificate of who has signed it."""
    trouble: Trouble | None


class Acme(BaseModel):
    """The authority that is asked for certificates, and how it stands."""

    directory: str
    contacts: list[str]
    terms_accepted: bool
    binding_id: str
    renews_at: datetime | None
    again_at: datetime | None
    failures: int
    trouble: Trouble | None


class AcmeAsked(BaseModel):
    """An authority that is to be asked. The binding's key may be left out where it was entered before."""

    model_config = ConfigDict(extra="forbid")

    directory: str = Field(pattern=r"^https://[^\s/]+", max_length=500)
    contacts: list[str] = Field(default=[], max_length=10)
    terms_accepted: bool = False
    binding_id: str = Field("", max_length=200)
    binding_key: str = Field("", max_length=500, repr=False)


class Gateway(BaseModel):
    """How it stands. `elsewhere`: it belongs to the installation's first organisation, and this is another."""

    elsewhere: bool
    enrolled: bool
    agent_runs: bool
    onward: str
    relays: list[Relay]
    certificate: Certificate | None
    acme: Acme | None
    checklist: Checklist


class CertificateHandedIn(BaseModel):
    """A chain, the pages' certificate first, and its key, as PEM."""

    model_config = ConfigDict(extra="forbid")

    chain: str = Field(max_length=200_000)
    key: str = Field(max_length=20_000, repr=False)


@router.get("")
def gateway(services: Services, principal: Administrator) -> Gateway:
    """Say how it stands with the relays, and what the site has to see to."""
    settings = services.settings
    first = principal.organisation_id == services.organisation_id
    told = standing(settings.gateway_dir, services.clock.now()) if first else None
    relays = list(told or ()) or [LinkState(str(one.relay)) for one in _enrolled(settings, first=first)]
    with services.database.read() as session:
        found = checklist(session, settings, principal.organisation_id, relays, whole=first)
    return Gateway(
        elsewhere=not first,
        enrolled=bool(relays),
        agent_runs=told is not None,
        onward=settings.agent.onward or "" if first else "",
        relays=[Relay.model_validate(one) for one in relays],
        certificate=_certificate(services, relays) if relays and settings.agent.onward is None else None,
        acme=_acme(settings) if relays and settings.agent.onward is None else None,
        checklist=found,
    )


@router.put("/certificate")
def hand_in_certificate(
    request: Request, services: Services, principal: Administrator, handed_in: CertificateHandedIn
) -> Certificate:
    """Take a certificate for outside; it counts from the next connection on. Says what is wrong with one."""
    if principal.organisation_id != services.organisation_id:
        raise NotFound
    now = services.clock.now()
    folder = services.settings.gateway_dir
    files = AcmeFiles(folder, services.metadata_key)
    pem, facts = checked(handed_in.chain.encode(), handed_in.key.encode(), now, files.password)
    files.keep_certificate(pem)
    files.forget()  # who hands certificates in sees to them
    detail = {"names": list(facts.names), "until": facts.ends_at.isoformat()}
    with services.database.write() as session:
        trail.write(session, trail.event(request, principal, "gateway.certificate", detail=detail))
    return _certificate(services, standing(folder, now) or ())


@router.put("/acme")
def ask_authority(request: Request, services: Services, principal: Administrator, asked: AcmeAsked) -> Acme:
    """Have certificates for outside asked for and renewed by ACME from now on; the first within seconds."""
    if principal.organisation_id != services.organisation_id:
        raise NotFound
    if asked.binding_key and not is_binding_key(asked.binding_key):
        raise BindingKeyUnusable
    contacts = tuple(require_address(one) for one in asked.contacts)
    binding = (asked.binding_id, asked.binding_key) if asked.binding_id else None
    files = AcmeFiles(services.settings.gateway_dir, services.metadata_key)
    files.keep_plan(AcmeAccount(asked.directory, contacts, asked.terms_accepted, binding))
    with services.database.write() as session:
        trail.write(session, trail.event(request, principal, "gateway.acme", detail={"address": asked.directory}))
    found = _acme(services.settings)
    if found is None:
        raise NotFound
    return found


@router.delete("/acme", status_code=204)
def ask_nobody(request: Request, services: Services, principal: Administrator) -> None:
    """Have no certificates asked for any more; the one that there is stays until it ends."""
    if principal.organisation_id != services.organisation_id:
        raise NotFound
    if AcmeFiles(services.settings.gateway_dir, services.metadata_key).forget():
        with services.database.write() as session:
            trail.write(session, trail.event(request, principal, "gateway.acme-off"))


def _acme(settings: Settings) -> Acme | None:
    plan, state = plan_in(settings.gateway_dir), state_in(settings.gateway_dir)
    if plan is None:
        return None
    trouble = Trouble(code=state.code, detail=state.detail, facts={"detail": state.detail}) if state.failures else None
    return Acme(
        directory=plan.directory, contacts=list(plan.contacts), terms_accepted=plan.terms_accepted,
        binding_id=plan.binding_id, renews_at=state.renews_at, again_at=state.again_at, failures=state.failures,
        trouble=trouble,
    )  # fmt: skip


def _enrolled(settings: Settings, *, first: bool) -> list[LinkState]:
    if not first:
        return []
    return [LinkState(str(one.relay)) for one in enrolments(settings.gateway_dir / "relays")]


def _certificate(services: WebServices, relays: Sequence[LinkState]) -> Certificate:
    settings = services.settings
    hosts = sorted({host for one in relays for host in one.hosts})
    chain, _ = settings.public_certificate
    is_set = settings.agent.tls_certificate is not None
    if chain is None:
        missing = Trouble(code="gateway-certificate-wanted", detail="there is no certificate for outside", facts={})
        return Certificate(names=[], ends_at=None, missing=hosts, is_set=is_set, is_alone=False, trouble=missing)
    try:
        facts = facts_of(chain.read_bytes())
    except (RadrelayError, OSError):
        unusable = Trouble(code="gateway-certificate-unusable", detail=f"{chain.name} cannot be read", facts={})
        return Certificate(names=[], ends_at=None, missing=hosts, is_set=is_set, is_alone=False, trouble=unusable)
    missing_names = [host for host in hosts if not facts.covers(host)]
    return Certificate(
        names=list(facts.names), ends_at=facts.ends_at, missing=missing_names, is_set=is_set,
        is_alone=facts.is_alone, trouble=None,
    )  # fmt: skip
