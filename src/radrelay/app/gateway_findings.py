"""What `radrelay doctor` says of the gateway: the links to the relays, and the certificate for outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from radrelay.app.findings import Finding, State
from radrelay.errors import RadrelayError
from radrelay.gateway.acme_files import plan_in, state_in
from radrelay.gateway.credentials import enrolments
from radrelay.gateway.public import facts_of
from radrelay.gateway.standing import LinkState, standing
from radrelay.settings import Settings

SOON = timedelta(days=21)
SOME = 3
"""Failures in a row that are no accident any more."""

CHAIN = "hand the chain in: some browsers do not find the rest by themselves"
ACME = {
    "gateway-acme-unreachable": "let this server out to the directory's address (HTTPS), or set HTTPS_PROXY",
    "gateway-acme-unclear": "look at the directory's address",
    "gateway-acme-terms-open": "accept the terms on the page Gateway, or by `radrelay agent acme --accept-terms`",
    "gateway-acme-binding-wanted": "enter key ID and key that the authority has given out",
    "gateway-folder-unwritable": "make room on the disk of the folder `gateway`, and let this program write there",
    "gateway-acme-not-reached": "let anybody reach the relay's pages at port 443 of these names (DNS, firewall)",
}
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


def _acme(settings: Settings) -> Iterator[Finding]:
    acme = state_in(settings.gateway_dir)
    if plan_in(settings.gateway_dir) is not None and acme.failures:
        again = f"; again at {acme.again_at:%Y-%m-%d %H:%M} UTC" if acme.again_at else ""
        text = f"asked in vain {acme.failures} times: {acme.detail}{again}"
        yield Finding("certificate authority", "bad" if acme.failures > SOME else "look", text, ACME.get(acme.code, ""))


def _certificate(settings: Settings, states: Sequence[LinkState], now: datetime) -> Iterator[Finding]:
    chain, _ = settings.public_certificate
    yield from _acme(settings)
    if chain is None:
        advice = "hand one in: `radrelay agent certificate CHAIN KEY`, or have one asked for: `radrelay agent acme`"
        yield Finding("certificate for outside", "bad", "there is none: nobody gets in through a relay", advice)
        return
    try:
        facts = facts_of(chain.read_bytes())
    except (RadrelayError, OSError) as error:
        yield Finding("certificate for outside", "bad", str(error), f"look at {chain}")
        return
    left = facts.ends_at - now
    acme = state_in(settings.gateway_dir)
    asked = plan_in(settings.gateway_dir) is not None
    late = acme.renews_at is None or acme.renews_at + timedelta(days=1) <= now if asked else left < SOON
    state: State = "bad" if left <= timedelta() else "look" if late else "good"
    advice = "" if state == "good" else "renew it; a new file counts from the next connection on"
    renews = f"; renews itself from {acme.renews_at:%Y-%m-%d} on" if asked and acme.renews_at else ""
    yield Finding("certificate for outside", state, f"lasts {max(0, left.days)} days more{renews}", advice)
    if facts.is_alone:
        yield Finding("certificate for outside", "look", "comes without the certificate of who signed it", CHAIN)
    missing = sorted({host for one in states for host in one.hosts if not facts.covers(host)})
    if missing:
        yield Finding("certificate for outside", "bad", f"is not for {', '.join(missing)}", "browsers refuse it there")
