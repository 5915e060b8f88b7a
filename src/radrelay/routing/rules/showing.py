"""The action *show*: a study is made visible to a group, as by a release."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.routing.rules.actions import MOMENTS, Met, Moment, Outcome, Wanted, known_only, wanted_days, wanted_id
from radrelay.routing.rules.errors import RuleInvalid


@dataclass(frozen=True, slots=True)
class Show:
    """Grants a group to see a study, perhaps to download it, perhaps by alias, perhaps for some days."""

    name: str = "show"
    moments: Sequence[Moment] = MOMENTS
    again: bool = False

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        known_only(wanted, "group_id", "may_download", "identity", "days")
        identity = wanted.get("identity", "clear")
        if identity not in ("clear", "alias"):
            raise RuleInvalid("identity: clear or alias", field="identity")
        group = access.require_group(session, organisation_id, str(wanted_id(wanted, "group_id")))
        return {
            "group_id": group, "may_download": wanted.get("may_download") is True, "identity": identity,
            "days": wanted_days(wanted, needed=False),
        }  # fmt: skip

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell to whom it would be shown."""
        group = access.require_group(session, met.organisation_id, str(wanted["group_id"]))
        return Outcome("done", facts={"group": group})

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Give the grant."""
        group = access.require_group(session, met.organisation_id, str(wanted["group_id"]))
        rights = (Right.SEE, Right.DOWNLOAD) if wanted["may_download"] else (Right.SEE,)
        identity: Literal["clear", "alias"] = "alias" if wanted["identity"] == "alias" else "clear"
        days = wanted_days(wanted, needed=False)
        until = None if days is None else met.now + timedelta(days=days)
        made = access.grant(
            session, met.organisation_id, Grantee("group", group), Target("study", met.study.id), rights, now=met.now,
            identity=identity, ends_at=until, origin=access.BY_RULE,
        )  # fmt: skip
        detail = {
            "grantee": f"group {group}", "grant": str(made), "rights": [right.value for right in rights],
            "identity": identity, "until": until.isoformat() if until else "",
        }  # fmt: skip
        met.record(session, "release.give", detail)
        return Outcome("done", facts={"group": group, "grant": str(made)}, changed=True)
