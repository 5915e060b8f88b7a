"""What a run found, as a page shows it to its reader."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.analysis.models import AnalysisRun
from radrelay.archive.models import Instance
from radrelay.web.aliases import token_of
from radrelay.web.services import WebServices

MOST_PICTURES = 2_000
UIDS = ("series_uid", "sop_uids", "sop_uid")


def with_pictures(session: Session, row: AnalysisRun, said: object) -> object:
    """Return findings with the ids of the instances that they name: whoever sees no UIDs shows pictures by these."""
    if isinstance(said, list):
        return [with_pictures(session, row, one) for one in said]
    if not isinstance(said, dict):
        return said
    found = {name: with_pictures(session, row, value) for name, value in said.items()}
    uids = said.get("sop_uids")
    if isinstance(uids, list):
        named = sa.select(Instance.sop_uid, Instance.id).where(
            Instance.organisation_id == row.organisation_id, Instance.study_id == row.study_id, Instance.current,
            Instance.sop_uid.in_([str(uid) for uid in uids[:MOST_PICTURES]]),
        )  # fmt: skip
        ids = {uid: str(instance_id) for uid, instance_id in session.execute(named)}
        found["pictures"] = [ids.get(str(uid)) for uid in uids]
    return found


def veiled(services: WebServices, organisation_id: uuid.UUID, said: object) -> object:
    """Return findings without the UIDs of a patient whom the caller may not know."""

    def token(value: object) -> object:
        if isinstance(value, list):
            return [token(one) for one in value]
        return token_of(services.metadata_key, organisation_id, str(value))

    if isinstance(said, list):
        return [veiled(services, organisation_id, one) for one in said]
    if isinstance(said, dict):
        return {
            name: token(value) if name in UIDS else veiled(services, organisation_id, value)
            for name, value in said.items()
        }
    return said
