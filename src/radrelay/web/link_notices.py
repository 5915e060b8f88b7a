"""Letters to makers of links: one was closed by wrong answers. Without the patient, the study or the link's label."""

from __future__ import annotations

from sqlalchemy.orm import Session

from radrelay.access import LinkView
from radrelay.errors import NotFound
from radrelay.mail.letters import language_of, until
from radrelay.web.services import WebServices


def tell_maker(session: Session, services: WebServices, link: LinkView) -> None:
    """Post a letter in the transaction that closes a link, where its maker is a person whom mail reaches."""
    post = services.password_links.post
    if not post.is_set or link.closed_until is None:
        return
    try:
        maker = services.identity.account(session, link.organisation_id, link.maker_id)
    except NotFound:
        return  # a token made it
    if not maker.email or maker.disabled_at is not None:
        return
    language = language_of(maker.language, post.settings.language)
    facts = {"whom": maker.full_name, "house": post.house_of(session, maker.organisation_id)}
    letter = post.letter("link-closed", language, until=until(link.closed_until, language), **facts)
    post.enqueue(session, maker.organisation_id, maker.email, letter, account_id=maker.id, expires_at=link.ends_at)
