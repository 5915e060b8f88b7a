"""Which languages a link may be of, in the order in which they are tried: DLX, DICOMweb, SMART Health Links.

A DLX link looks like many others: only its host knows. So a link may have several leads; one that does not speak the
language says so (`PortalUnclear`), and the next is tried.
"""

from __future__ import annotations

from radrelay.importer.connectors.addresses import shared_by
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.connectors.entered import link_in
from radrelay.importer.connectors.health_links import health_link, is_health_link
from radrelay.importer.connectors.ports import Lead


def leads_in(text: str, dlx: DlxConnector, *, clear_loopback: bool = False) -> tuple[Lead, ...]:
    """Return what a text leads to, asking nobody; raises `PortalTrouble` for a health link that cannot be followed."""
    link = link_in(text)
    if not link:
        return ()
    if is_health_link(link):
        return (health_link(link, clear_loopback=clear_loopback).lead,)
    shared = shared_by(link, clear_loopback=clear_loopback)
    found = (dlx.recognise(link), shared.lead if shared is not None else None)
    return tuple(lead for lead in found if lead is not None)
