"""What is seen is written out once for all who ask alike, and filled in by each."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Grantee, Right, Target, scope
from radrelay.access.placeholders import KIND, ORGANISATION, WHO
from radrelay.access.tables import STUDY
from radrelay.access.written import written
from radrelay.archive.models import Study
from tests.access.test_scope import HEAD, KNEE, NOW, give, principal, session

__all__ = ["session"]
STRANGE = "A%:asked_who 'B\\"


def seen_of_list(session: Session, name: str) -> set[object]:
    listed = scope(session, principal(name, "ae", ""), Right.SEE, now=NOW).listed(session, Study.id)
    return set(session.scalars(sa.select(Study.id).where(listed.condition)))


def test_two_who_ask_alike_see_each_their_own(session: Session) -> None:
    give(session, Target("study", HEAD), Right.SEE, who=Grantee("ae", STRANGE))
    give(session, Target("study", KNEE), Right.SEE, who=Grantee("ae", "OTHER"))
    for _ in range(2):
        assert seen_of_list(session, STRANGE) == {HEAD}
        assert seen_of_list(session, "OTHER") == {KNEE}
        assert seen_of_list(session, "NOBODY") == set()


def test_without_its_values_a_condition_is_an_error(session: Session) -> None:
    condition = sa.and_(STUDY.c.organisation_id == ORGANISATION, sa.literal("a%b", sa.String) == WHO, KIND == "x")
    made = written(condition, session.get_bind().dialect)
    assert made.names == {ORGANISATION.key, WHO.key, KIND.key}
    with pytest.raises(KeyError):
        made.filled({ORGANISATION.key: HEAD, WHO.key: "a%b"})
    with pytest.raises(sa.exc.StatementError):
        session.scalars(sa.select(Study.id).where(made.text))
