"""Unpack an archive into the landing again: each member on its own, all bounded, nothing lost in silence.

A member is named by the archive's record and its place, the same on every attempt, so that a second attempt after a
crash adds nothing. What is refused names its limit; a bad member never costs its neighbours. Member names are words,
never paths: nothing is written under them.
"""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from radrelay.intake.envelope import Origin
from radrelay.intake.errors import ArchiveLimit, ArchiveRefused
from radrelay.intake.files import FileLander, LandedFile, clean_text
from radrelay.intake.landing import Landing
from radrelay.intake.object_writer import FileFacts, Fragment
from radrelay.intake.scratch import ByteSource, ScratchSource
from radrelay.intake.zip_members import METHODS, Member, is_small, list_members, read_member, read_small
from radrelay.settings import IntakeSettings

log = structlog.get_logger(__name__)

READERS = 2
MEMBERS_AHEAD = 4
RATIO_FROM_BYTES = 16 << 20
"""A member's growth is judged from this size on: a small blank image is no bomb."""


@dataclass(slots=True)
class Budget:
    """What one archive, with all archives inside it, may still become."""

    bytes_left: int
    entries_left: int
    max_ratio: int
    max_depth: int
    settings: IntakeSettings

    @classmethod
    def of(cls, settings: IntakeSettings) -> Budget:
        """Start with everything that the settings allow."""
        return cls(settings.max_inflated_bytes, settings.max_entries, settings.max_ratio, settings.max_depth, settings)

    def take_entry(self) -> None:
        """Count a member; raises `ArchiveExhausted` at `intake.max_entries`."""
        self.entries_left -= 1
        if self.entries_left < 0:
            raise ArchiveExhausted(
                f"The archive holds more than intake.max_entries, {self.settings.max_entries} files."
            )

    def refuse_declared(self, member: Member) -> None:
        """Refuse a member that is too large by its own account, before anything of it is unpacked."""
        plain, packed = member.plain_bytes, member.packed_bytes
        if plain is None or packed is None:
            return
        if plain > RATIO_FROM_BYTES and plain > self.max_ratio * max(1, packed):
            raise ArchiveRatio(self._ratio_text())
        if plain > self.bytes_left:
            raise ArchiveLimit(self._bytes_text("file"))

    def _ratio_text(self) -> str:
        return f"The file grows more than intake.max_ratio, {self.max_ratio} times, when unpacked."

    def _bytes_text(self, what: str) -> str:
        return f"The {what} unpacks to more than intake.max_inflated_bytes, {self.settings.max_inflated_bytes} bytes."

    def guard(self, member: Member, pieces: Iterator[bytes], archive_bytes: int) -> Iterator[bytes]:
        """Pass `pieces` on while the member and the archive, packed `archive_bytes` long, stay in bounds."""
        count = 0
        packed = archive_bytes if member.packed_bytes is None else member.packed_bytes
        for piece in pieces:
            count += len(piece)
            self.bytes_left -= len(piece)
            if self.bytes_left < 0:
                raise ArchiveExhausted(self._bytes_text("archive"))
            if count > RATIO_FROM_BYTES and count > self.max_ratio * max(1, packed):
                raise ArchiveRatio(self._ratio_text())
            yield piece


class ArchiveExhausted(ArchiveLimit):
    """The archive as a whole goes beyond a limit; the rest of it was not unpacked."""

    code = "archive-limit"


class ArchiveRatio(ArchiveLimit):
    """A file in the archive grows beyond intake.max_ratio."""

    code = "ratio-limit"


class ArchiveDepth(ArchiveLimit):
    """The archive lies too deep in other archives."""

    code = "depth-limit"


class MemberEncrypted(ArchiveRefused):
    """This file needs a password; send it without."""

    code = "encrypted"


class MemberUnsupported(ArchiveRefused):
    """This file is packed in a way that is not supported; pack it anew as an ordinary ZIP."""

    code = "method-unsupported"


class MemberLink(ArchiveRefused):
    """A symbolic link is never followed."""

    code = "link"


class MembersOverlap(ArchiveLimit):
    """The archive's files overlap each other, as no ordinary archive's do."""

    code = "overlap"


@dataclass(slots=True)
class Unpacked:
    """How many files an archive held, and how many of them were kept or open to a person in the quarantine."""

    files: int = 0
    kept: int = 0


class Unpacker:
    """Unpacks one archive after another for one origin; for one thread."""

    def __init__(self, landing: Landing, origin: Origin, archive_id: uuid.UUID) -> None:
        """`archive_id` names the outermost archive: its record, or an import's own id."""
        self._landing = landing
        self._origin = origin
        self._archive_id = archive_id
        self._budget = Budget.of(landing.settings.intake)
        self._scratch: Path = landing.settings.data_dir / "scratch"
        self._counts = Unpacked()

    def unpack(self, source: ByteSource, name: str = "") -> Unpacked:
        """Land every member of the archive `source`, what is in nested archives too; what is refused is noted.

        `name` goes before the members' names.
        """
        try:
            self._unpack(source, name, 1)
        except ArchiveExhausted as limit:
            self._note(name or "archive", limit, uuid.uuid5(self._archive_id, "limit"))
        return self._counts

    def _unpack(self, source: ByteSource, prefix: str, depth: int) -> None:
        listing = list_members(source)
        if listing.damage:
            self._note(prefix or "archive", ArchiveRefused(listing.damage), self._item(prefix, -1))
        if listing.count is not None and listing.count > self._budget.entries_left:
            self._budget.entries_left = 0
            self._budget.take_entry()
        packed, found = 0, False
        try:
            for member, pieces in self._ahead(source, listing.members):
                found = True
                if member.is_folder:
                    continue
                self._budget.take_entry()
                packed += member.packed_bytes or 0
                if packed > source.size and not listing.damage:
                    raise MembersOverlap
                self._unpack_member(member, pieces, prefix, depth, source.size)
        except ArchiveExhausted:
            raise
        except ArchiveRefused as refused:
            self._note(prefix or "archive", refused, self._item(prefix, -2))
        if not found and not listing.damage:
            self._note(prefix or "archive", ArchiveEmpty(), self._item(prefix, -3))

    def _ahead(
        self, source: ByteSource, members: Iterator[Member]
    ) -> Iterator[tuple[Member, Callable[[], Iterator[bytes]]]]:
        """Yield each member and how its bytes are read, small ones unpacked by other threads meanwhile."""
        pool = ThreadPoolExecutor(READERS, "unpack")
        waiting: deque[tuple[Member, Callable[[], Iterator[bytes]]]] = deque()
        try:
            for member in members:
                if is_small(member) and not member.is_encrypted:
                    future = pool.submit(read_small, source, member)
                    waiting.append((member, lambda future=future: iter((future.result(),))))  # type: ignore[misc]
                else:
                    waiting.append((member, partial(read_member, source, member)))
                if len(waiting) > MEMBERS_AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(cancel_futures=True)

    def _unpack_member(
        self, member: Member, read: Callable[[], Iterator[bytes]], prefix: str, depth: int, archive_bytes: int
    ) -> None:
        self._counts.files += 1
        name = cleaned_name(member.name) or f"file-{member.index + 1}"
        shown = f"{prefix}/{name}" if prefix else name
        item_id = self._item(f"{prefix}#{depth}", member.index)

        def nested(_: str, chunks: Iterator[Fragment]) -> int:
            return self._unpack_nested(shown, (bytes(chunk) for chunk in chunks), depth)

        lander = FileLander(self._landing, self._origin, nested)
        try:
            _refuse_unreadable(member)
            self._budget.refuse_declared(member)
            pieces = self._budget.guard(member, read(), archive_bytes)
            landed = lander.land(shown, pieces, item_id=item_id, wait=False)
            self._counts.kept += landed.landed is not None
            self._after(member, name, shown, landed, item_id)
        except ArchiveExhausted:
            raise
        except ArchiveRefused as refused:
            self._note(shown, refused, item_id, member.plain_bytes)

    def _after(self, member: Member, name: str, shown: str, landed: LandedFile, item_id: uuid.UUID) -> None:
        """Note the name that was not taken as sent."""
        if landed.landed is not None and name != member.name:
            text = (
                f"The file was named {clean_text(member.name)[:500]!r} in the archive; it is kept under a plain name."
            )
            file = FileFacts(shown, None, "", uuid.uuid5(item_id, "name"))
            self._landing.note(self._origin, file, "unsafe-name", text)

    def _unpack_nested(self, name: str, chunks: Iterator[bytes], depth: int) -> int:
        if depth >= self._budget.max_depth:
            raise ArchiveDepth(f"The archive lies deeper than intake.max_depth, {self._budget.max_depth} archives.")
        source = ScratchSource.fill(self._scratch, chunks)
        try:
            self._unpack(source, name, depth + 1)
            return source.size
        finally:
            source.close()

    def _item(self, where: str, index: int) -> uuid.UUID:
        return uuid.uuid5(self._archive_id, f"{where}#{index}")

    def _note(self, name: str, error: ArchiveRefused, item_id: uuid.UUID, size: int | None = None) -> None:
        log.info("archive member refused", archive=str(self._archive_id), code=error.code)
        self._landing.note(self._origin, FileFacts(name, size, "", item_id), error.code, error.message)


class ArchiveEmpty(ArchiveRefused):
    """The archive is empty."""

    code = "empty"


def _refuse_unreadable(member: Member) -> None:
    if member.is_encrypted:
        raise MemberEncrypted
    if member.is_link:
        raise MemberLink
    if member.method not in METHODS:
        raise MemberUnsupported(f"{MemberUnsupported.__doc__} (method {member.method})")


_DRIVE = re.compile(r"^[A-Za-z]:")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})


def cleaned_name(name: str) -> str:
    """Return a member's name as a plain relative one: no root, drive, parent, device or control characters."""
    parts: list[str] = []
    for raw in _DRIVE.sub("", name.replace("\\", "/")).split("/"):
        part = clean_text(raw).strip().rstrip(".")
        if part in ("", ".", ".."):
            continue
        parts.append(f"_{part}" if part.partition(".")[0].lower() in _DEVICES else part)
    return "/".join(parts)
