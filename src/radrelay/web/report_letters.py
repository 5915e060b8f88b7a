"""The letter that tells the service address of a failed portal. Mail is not encrypted: it says what staff agreed to."""

from __future__ import annotations

from sqlalchemy.orm import Session

from radrelay.importer.models import ImportReport
from radrelay.importer.sealing import Reported
from radrelay.web.services import WebServices

KIND = "portal-report"
LEFT_OUT = "–"


def service_address(services: WebServices) -> str | None:
    """Return where letters about failed portals go; none: there is no such address, or no mail server."""
    address = services.settings.importer.service_address
    return address if services.password_links.post.is_set else None


def post_report(services: WebServices, session: Session, row: ImportReport, told: Reported, *, with_link: bool) -> bool:
    """Post the letter in the caller's transaction; False: it goes to nobody. What staff wrote stays in the list."""
    post, address = services.password_links.post, service_address(services)
    if address is None:
        return False
    facts = {
        "host": row.host or LEFT_OUT, "code": row.error_code or LEFT_OUT, "step": row.step, "report": str(row.id),
        "address": told.link if with_link else LEFT_OUT, "born": told.birth_date or LEFT_OUT,
        "answers": ", ".join(told.answers.values()) or LEFT_OUT,
    }  # fmt: skip
    house = post.house_of(session, row.organisation_id)
    letter = post.letter(KIND, post.settings.language, house=house, **facts)
    post.enqueue(session, row.organisation_id, address, letter)
    return True
