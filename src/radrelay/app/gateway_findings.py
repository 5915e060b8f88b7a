"""What `radrelay doctor` says of the gateway: the links to the relays, and the certificate for outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from radrelay.app.findings import Finding, State
from radrelay.errors import RadrelayError
from radrelay.gateway.credentials import enrolments
from radrelay.gateway.public import facts_of
from radrelay.gateway.standing import LinkState, standing
from radrelay.settings import Settings

SOON = timedelta(days=21)
ADVICE = {
    "gateway-relay-unreachable": "check that the relay runs, and that this server's firewall lets its port out",
    "gateway-relay-untrusted": "another relay answers there: if it was set up anew, enrol again",
    "gateway-certificate-refused": "enrol again, by a new code of the relay's administrator",
}


def gateway_findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield a finding for each relay, and one for the certificate; nothing where there is no relay."""
    enrolled = enrolments(settings.gateway_dir / "relays")
    if not enrolled:
        return
    states = standing(settings.gateway_dir, now)
    if states is None:
        yield Finding("gateway", "look", "no agent runs", "start Radrelay; `radrelay agent` runs it alone")
    for one in states or ():
        yield _link(one)
    for enrolment in enrolled:
        try:
            ends_at = enrolment.ends_at
        except RadrelayError as error:
            yield Finding(f"relay {enrolment.relay}", "bad", error.message, "enrol again")
            continue
        if ends_at <= now:
            advice = "enrol again, by a new code of the relay's administrator"
            yield Finding(f"relay {enrolment.relay}", "bad", f"our certificate ended {ends_at:%Y-%m-%d}", advice)
    if settings.agent.onward is None:
        yield from _certificate(settings, states or (), now)


def _link(state: LinkState) -> Finding:
    subject = f"relay {state.relay}"
    if state.connected:
        names = ", ".join([*state.hosts, *(f"DICOM port {port}" for port in state.ports)])
        return Finding(subject, "good", f"connected as {state.site}: {names or 'no host names there yet'}")
    advice = ADVICE.get(state.trouble, "see docs/gateway.md")
    return Finding(subject, "bad", f"not connected: {state.trouble or 'not tried yet'}", advice)


def _certificate(settings: Settings, states: Sequence[LinkState], now: datetime) -> Iterator[Finding]:
    chain, _ = settings.public_certificate
    if chain is None:
        advice = "hand one in: `radrelay agent certificate CHAIN KEY`, or set agent.tls_certificate"
        yield Finding("certificate for outside", "bad", "there is none: nobody gets in through a relay", advice)
        return
    try:
        facts = facts_of(chain.read_bytes())
    except (RadrelayError, OSError) as error:
        yield Finding("certificate for outside", "bad", str(error), f"look at {chain}")
        return
    left = facts.ends_at - now
    state: State = "bad" if left <= timedelta() else "look" if left < SOON else "good"
    advice = "" if state == "good" else "renew it; a new file counts from the next connection on"
    yield Finding("certificate for outside", state, f"lasts {max(0, left.days)} days more", advice)
    missing = sorted({host for one in states for host in one.hosts if not facts.covers(host)})
    if missing:
        yield Finding("certificate for outside", "bad", f"is not for {', '.join(missing)}", "browsers refuse it there")
