"""The declarative base and the column types that both databases share."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BINARY, DateTime, Dialect, MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from radrelay.storage.ids import new_id


class Base(DeclarativeBase):
    """Every room's tables hang on this."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Id(TypeDecorator[uuid.UUID]):
    """A UUID: 16 bytes on SQLite, the native type on PostgreSQL."""

    impl = BINARY
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type that the database stores best."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=True))
        return dialect.type_descriptor(BINARY(16))

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> Any:
        """Python to database."""
        if value is None or dialect.name == "postgresql":
            return value
        return value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        """Database to Python."""
        return _unpacked(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Go past the decorator's two further calls for each value: ids are most of what the index writes."""
        return super().bind_processor(dialect) if dialect.name == "postgresql" else _packed

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any] | None:
        """Go past them for what is read, too."""
        return super().result_processor(dialect, coltype) if dialect.name == "postgresql" else _unpacked


_new, _set, _SAFETY = object.__new__, object.__setattr__, uuid.SafeUUID.unknown


def _packed(value: uuid.UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _unpacked(value: Any) -> uuid.UUID | None:
    if value is None or isinstance(value, uuid.UUID):
        return value
    # the constructor first looks at which of its six arguments was meant, which takes most of the time
    made = _new(uuid.UUID)
    _set(made, "int", int.from_bytes(value, "big"))
    _set(made, "is_safe", _SAFETY)
    return made


class Instant(TypeDecorator[datetime]):
    """An aware moment in UTC; kept without zone on SQLite, with it on PostgreSQL."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type that keeps the zone where there is one."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without zone cannot be stored: {value!r}")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return _zoned(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any] | None:
        """Go past the decorator's two further calls for each value: a page of studies has hundreds of moments."""
        read = self.impl_instance.dialect_impl(dialect).result_processor(dialect, coltype)
        return _zoned if read is None else lambda value: _zoned(read(value))


def _zoned(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Identified:
    """A row with an id that grows with time."""

    id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True, default=new_id)


class Owned(Identified):
    """A row that belongs to one organisation, which no query crosses."""

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
