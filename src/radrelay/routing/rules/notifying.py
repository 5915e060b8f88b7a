"""The action *notify*: the members of a group get a letter that a rule has met a study; it names no patient."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.identity.models import Account
from radrelay.mail import MailNotSet, Post
from radrelay.routing.rules.actions import MOMENTS, Met, Moment, Outcome, Wanted, known_only, wanted_id


@dataclass(frozen=True, slots=True)
class Notify:
    """Posts letters to the people of a group who have an address."""

    post: Post
    site: str
    name: str = "notify"
    moments: Sequence[Moment] = MOMENTS
    again: bool = False

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        known_only(wanted, "group_id")
        return {"group_id": access.require_group(session, organisation_id, str(wanted_id(wanted, "group_id")))}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell how many would get a letter."""
        if not self.post.is_set:
            raise MailNotSet
        people = _people(session, met.organisation_id, wanted_id(wanted, "group_id"))
        if not people:
            return Outcome("skipped", "nobody-to-tell")
        return Outcome("done", facts={"group": str(wanted["group_id"]), "letters": len(people)})

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Post the letters."""
        planned = self.plan(session, met, wanted)
        if planned.state != "done":
            return planned
        if met.owed:
            return Outcome("skipped", "owed-in-backup", planned.facts)
        house = self.post.house_of(session, met.organisation_id)
        for one in _people(session, met.organisation_id, wanted_id(wanted, "group_id")):
            letter = self.post.letter(
                "rule-met", one.language, whom=one.full_name, house=house, rule=met.rule_name,
                link=f"{self.site.rstrip('/')}/view?study={met.study.id}",
            )  # fmt: skip
            self.post.enqueue(session, met.organisation_id, one.email or "", letter, account_id=one.id)
        met.record(
            session, "study.notify", {"grantee": f"group {wanted['group_id']}", "letters": planned.facts["letters"]}
        )
        return planned


def _people(session: Session, organisation_id: uuid.UUID, group_id: uuid.UUID) -> Sequence[Account]:
    members = access.members_of(session, organisation_id, group_id)
    ids = [uuid.UUID(one.id) for one in members if one.kind == "account"]
    asked = sa.select(Account).where(
        Account.organisation_id == organisation_id, Account.id.in_(ids), Account.disabled_at.is_(None),
        Account.lost_at.is_(None), Account.closed_at.is_(None), Account.email.is_not(None),
    )  # fmt: skip
    return session.scalars(asked.order_by(Account.id)).all()
