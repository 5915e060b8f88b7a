"""Which languages a link may be of, in the order in which they are tried.

DLX, DICOMweb, SMART Health Links, recipes, and last documents that lead to images (FHIR, key objects). A DLX link looks
like many others: only its host knows. So a link may have several leads; one that does not speak the language says so
(`PortalUnclear`), and the next is tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from radrelay.importer.attempts import Attempts
from radrelay.importer.connectors.dicomweb import DicomWebConnector
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.connectors.documents import DocumentConnector
from radrelay.importer.connectors.entered import link_in
from radrelay.importer.connectors.health_link_errand import HealthLinkConnector
from radrelay.importer.connectors.ports import Connector, Lead
from radrelay.importer.outgoing import Outgoing


def connectors_of(outgoing: Outgoing, attempts: Attempts, recipes: Iterable[Connector] = ()) -> tuple[Connector, ...]:
    """Return all languages in the order of trying."""
    return (
        DlxConnector(outgoing, attempts),
        DicomWebConnector(outgoing, attempts),
        HealthLinkConnector(outgoing, attempts),
        *recipes,
        DocumentConnector(outgoing),
    )


def leads_in(text: str, connectors: Sequence[Connector]) -> tuple[tuple[Lead, Connector], ...]:
    """Return what a text leads to, asking nobody; raises `PortalTrouble` for a health link that cannot be followed."""
    link = link_in(text)
    if not link:
        return ()
    found = ((connector.recognise(link), connector) for connector in connectors)
    return tuple((lead, connector) for lead, connector in found if lead is not None)
