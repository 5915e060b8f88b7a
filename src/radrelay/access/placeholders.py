"""Names that stand in a condition for who asks, when, and what was read of their grants (see `written`)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from radrelay.storage.columns import Id, Instant

ORGANISATION: sa.BindParameter[Any] = sa.bindparam("asked_organisation", type_=Id)
KIND: sa.BindParameter[Any] = sa.bindparam("asked_kind", type_=sa.String)
WHO: sa.BindParameter[Any] = sa.bindparam("asked_who", type_=sa.String)
ROLE: sa.BindParameter[Any] = sa.bindparam("asked_role", type_=sa.String)
NOW: sa.BindParameter[Any] = sa.bindparam("asked_now", type_=Instant)
SINCE: sa.BindParameter[Any] = sa.bindparam("asked_since", type_=sa.Date)
SOURCES: dict[str, sa.BindParameter[Any]] = {
    which: sa.bindparam(f"asked_{which}_sources", type_=Id, expanding=True)
    for which in ("all", "personal", "trusted", "leading", "marked")
}
ALL: dict[str, sa.BindParameter[Any]] = {
    one.key: one for one in (ORGANISATION, KIND, WHO, ROLE, NOW, SINCE, *SOURCES.values())
}
