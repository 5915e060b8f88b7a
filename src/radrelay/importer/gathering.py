"""Every file of a parcel looked at once: objects, papers, hints, and what cannot be read.

In: files by their paths in the parcel, each opened when its turn comes. Out: what arrived, to be parted, matched and
judged. Nothing is executed or unpacked; a file is told by its bytes, DICOMDIR and XDM metadata are hints. Of an object
only the header stands in memory, its pixel data pass by. What is none of these is told as `left_out` has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from radrelay.dicom.dialects import dialect
from radrelay.dicom.disc_directory import MAX_BYTES as MAX_DIRECTORY_BYTES
from radrelay.dicom.disc_directory import read_directory
from radrelay.dicom.encapsulate import ENCAPSULATED_PDF, document_in
from radrelay.dicom.ending import Ending
from radrelay.dicom.errors import Malformed, Unidentified
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.walk import survey
from radrelay.importer import promises, xdm
from radrelay.importer.arrived import ArrivedObject
from radrelay.importer.charsets import is_guessed
from radrelay.importer.findings import Parcel
from radrelay.importer.form_ends import TAIL, ends_well
from radrelay.importer.left_out import Folders, LeftFile, apart
from radrelay.importer.named_within import another_within
from radrelay.importer.papers import Kind as PaperKind
from radrelay.importer.papers import kind_of
from radrelay.importer.parting import part
from radrelay.importer.plain_texts import LARGEST_TEXT, text_of
from radrelay.importer.promises import Promise
from radrelay.importer.reconciling import BIRTH_DATE
from radrelay.importer.viewer_papers import LoosePaper, of_viewers
from radrelay.importer.xdm import XdmDocument
from radrelay.intake.errors import ArchiveRefused
from radrelay.intake.file_kinds import PREFIX_BYTES, UNKNOWN, FileKind, Kind, sniff

WINDOWS = (256 << 10, 4 << 20, 64 << 20)
"""So much of an object is read until its pixel data begin."""
MOST_WHOLE = 256 << 20
"""Larger ones without pixel data, or deflated, are not looked at. What has pixel data encapsulates no document."""
_CHUNK = 1 << 20
_UNDEFINED, _FRAMES = 0xFFFFFFFF, 0x00280008
NO_ARCHIVE = "no-archive"
"""What is called a ZIP, and is none."""
_BROKEN = frozenset({"empty", "not-dicom", "other-archive"})


class Readable(Protocol):
    """Something that is read from its beginning to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        ...


class Opened(Readable, Protocol):
    """An open file."""

    def __enter__(self) -> Readable: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None, /
    ) -> None: ...


class ParcelFile(Protocol):
    """A file of a parcel."""

    @property
    def path(self) -> str: ...  # noqa: D102  # within the parcel, with slashes
    @property
    def size(self) -> int: ...  # noqa: D102  # in bytes
    def open(self) -> Opened:
        """Open it for reading; whoever asks closes it."""
        ...


@dataclass(slots=True)
class Gathered:
    """What a parcel holds: `documents` are those of XDM metadata with their folder, for `PaperPlaces`.

    A document that an object of the parcel encapsulates (`enclosed`: by digest) is no paper of its own, where it is
    among the `loose` ones, too; nor is what is a viewer's own (`icons`). Of what lies beside it nobody knows
    (`doubtful`): that stays a paper.
    """

    objects: list[ArrivedObject] = field(default_factory=list)
    papers: list[str] = field(default_factory=list)
    seen: list[LoosePaper] = field(default_factory=list)
    icons: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    left: list[LeftFile] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    documents: list[tuple[str, XdmDocument]] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)  # objects whose texts are read by guess
    enclosed: set[bytes] = field(default_factory=set)
    loose: dict[str, bytes] = field(default_factory=dict)  # digests of papers, by file
    texts: set[str] = field(default_factory=set)  # plain texts that can be read
    endless: list[str] = field(default_factory=list)  # documents that do not end as their form does
    unread: dict[str, str] = field(default_factory=dict)  # birth dates that are none, by file
    within: dict[str, str] = field(default_factory=dict)  # who else is named in an object, by file
    paths: set[str] = field(default_factory=set)

    def parcel(
        self, listed: Iterable[Promise] | None = None, *, counts_objects: bool = False,
        earlier: frozenset[str] = frozenset(),
    ) -> Parcel:  # fmt: skip
        """Return it parted by people.

        `listed` is what a portal's list promised, none where there was no list, and whether that counts objects alone;
        `earlier` are files of downloads that came once more.
        """
        promised = (*self.promises, *(listed or ()))
        papers = (*self.papers, *self.others)
        left, viewers = apart(self.left, self.folders())
        return Parcel(
            part(self.objects), tuple(self.unreadable), papers, promised, listed is not None, counts_objects,
            frozenset(self.paths), tuple(left), (*self.icons, *viewers), tuple(self.guessed), tuple(self.doubtful),
            tuple(sorted({*self.endless} & {*self.papers})), self.unread, self.within, earlier,
        )  # fmt: skip

    def folders(self) -> Folders:
        """Return what its folders say of the files in them."""
        return Folders.of(self.left, (one.file for one in self.objects), self.paths)


def gather(files: Iterable[ParcelFile]) -> Gathered:
    """Look at all files of a parcel, one after the other."""
    found = Gathered()
    for one in files:
        found.paths.add(one.path)
        try:
            with one.open() as opened:
                _look(found, one, opened)
        except (Malformed, ArchiveRefused) as error:
            found.unreadable.append((one.path, error.code))
    _take_texts(found)
    known = {path for path, digest in found.loose.items() if digest in found.enclosed}
    seen = [one for one in found.seen if one.path not in known]
    found.icons, found.doubtful = of_viewers(seen, found.folders(), found.documents)
    gone = {*known, *found.icons}
    found.papers = [path for path in found.papers if path not in gone]
    found.others += sorted(known)
    return found


def _take_texts(found: Gathered) -> None:
    """Have plain texts be papers, but for what a viewer and a disc bring of their own; beside scripts they may be."""
    own = set(apart(found.left, found.folders())[1])
    taken = found.texts - own
    found.papers += sorted(taken)
    found.seen += [LoosePaper(path) for path in sorted(taken)]
    found.left = [one for one in found.left if one.path not in taken]
    found.others = [path for path in found.others if path not in taken]


def _enclosed(file: ParcelFile) -> bytes:
    """Return the digest of the document that an object encapsulates."""
    with file.open() as opened:
        whole = opened.read()
    head = parse_preamble(whole)
    return hashlib.sha256(document_in(parse(whole[head.dataset_offset :], head.transfer_syntax_uid))).digest()


def _read_paper(found: Gathered, file: ParcelFile, prefix: bytes, opened: Readable, kind: PaperKind) -> None:
    """Keep a paper's digest, and whether a document ends."""
    digest, tail, size = hashlib.sha256(prefix), prefix, len(prefix)
    while chunk := opened.read(_CHUNK):
        digest.update(chunk)
        tail, size = (tail + chunk)[-TAIL:], size + len(chunk)
    found.loose[file.path] = digest.digest()
    if kind == "document" and not ends_well("pdf", tail, size):
        found.endless.append(file.path)


def _require_something(one: ArrivedObject) -> None:
    """Raise `Malformed` for what says neither what it is nor of whom: nobody can do anything with it."""
    who = one.person
    if not any((one.sop_uid, one.sop_class, one.study_uid, who.name, who.patient_id, who.birth_date, one.pixels)):
        raise Malformed("The object says neither what it is nor whose.")


def _look(found: Gathered, file: ParcelFile, opened: Readable) -> None:
    prefix = opened.read(PREFIX_BYTES)
    folder = file.path.replace("\\", "/").rpartition("/")[0]
    kind = sniff(file.path, prefix)
    if promises.metadata((file.path,)):
        read = xdm.read_xdm(prefix + opened.read(xdm.MAX_BYTES + 1 - len(prefix)))
        found.documents += [(folder, one) for one in read]
        found.promises += promises.of_xdm(read, folder)
    elif kind.kind is Kind.DIRECTORY:
        directory = read_directory(prefix + opened.read(MAX_DIRECTORY_BYTES - len(prefix)))
        found.promises += promises.of_directory(directory, folder)
    elif kind.kind in (Kind.DICOM, Kind.MAYBE_DICOM):
        read_one, header = _read(file.path, file.size, opened, prefix)
        _require_something(read_one)
        found.objects.append(read_one)
        _look_closely(found, file.path, header)
        if read_one.sop_class == ENCAPSULATED_PDF and not read_one.pixels and file.size <= MOST_WHOLE:
            found.enclosed.add(_enclosed(file))
    elif (paper := kind_of(file.path, prefix)) == "text":
        _read_text(found, file, prefix + opened.read(LARGEST_TEXT + 1 - len(prefix)), kind)
    elif paper is not None:
        _read_paper(found, file, prefix, opened, paper)
        found.papers.append(file.path)
        found.seen.append(LoosePaper.of(file.path, prefix))
    elif why := _unreadable(file.path, kind):
        found.unreadable.append((file.path, why))
    else:
        found.left.append(LeftFile.of(file.path, kind, prefix))
        if kind.kind is Kind.ATTACHMENT:
            found.others.append(file.path)


def _read_text(found: Gathered, file: ParcelFile, content: bytes, kind: FileKind) -> None:
    """Note a plain text, and whether it can be read; whose it is tells where it lies."""
    found.left.append(LeftFile.of(file.path, kind, content[:PREFIX_BYTES]))
    found.others.append(file.path)
    if text_of(content) is not None:
        found.texts.add(file.path)
        found.loose[file.path] = hashlib.sha256(content).digest()


def _unreadable(path: str, kind: FileKind) -> str:
    """Return why a file is broken, though it is called what would be taken in; nothing where it is something else."""
    if kind.kind is Kind.ARCHIVE or kind.code in _BROKEN:
        return kind.code or ArchiveRefused.code
    return NO_ARCHIVE if kind is UNKNOWN and path.lower().endswith(".zip") else ""


def _look_closely(found: Gathered, path: str, header: Header) -> None:
    """Note what of a header a person has to look at."""
    if is_guessed(header):
        found.guessed.append(path)
    born = header.text(BIRTH_DATE).strip()
    if born.strip("0.") and header.date(BIRTH_DATE) is None:
        found.unread[path] = born[:20]
    if another := another_within(header):
        found.within[path] = another


def read_object(path: str, size: int, opened: Readable, prefix: bytes = b"") -> ArrivedObject:
    """Return what an object tells, `prefix` having been read of it; raises `Malformed` for one that is cut off."""
    return _read(path, size, opened, prefix)[0]


def _read(path: str, size: int, opened: Readable, prefix: bytes) -> tuple[ArrivedObject, Header]:
    prefix += opened.read(WINDOWS[0] - len(prefix))
    head = parse_preamble(prefix)
    data, total = prefix[head.dataset_offset :], size - head.dataset_offset
    deflated = syntax_of(head.transfer_syntax_uid).deflated
    header = _parsed(data, head.transfer_syntax_uid, total)
    for window in (*WINDOWS[1:], MOST_WHOLE):
        if (header.bulk is not None and not deflated) or len(data) >= total:
            break
        data += opened.read(window - len(data))
        header = _parsed(data, head.transfer_syntax_uid, total)
    if len(data) < total and (header.bulk is None or deflated):
        raise Malformed("The object's header is larger than what is looked at.")
    with suppress(Unidentified):  # what has no identity is told as such, and set aside
        survey(data, len(data), head.transfer_syntax_uid, total=total)
    if header.bulk is None or deflated:
        return ArrivedObject.whole(data, header, file=path), header
    return _passing(path, header, header.bulk, data, opened, total), header


def _lacks_frames(ending: Ending, header: Header) -> bool:
    """Say whether fragments whose end is not marked are fewer than the frames: a film alone holds all in one."""
    fragments = ending.unclosed_fragments
    if fragments is None or header.transfer_syntax.codec == "video":
        return False
    return fragments < (header.integer(_FRAMES) or 1)


def _parsed(data: bytes, ts: str, total: int) -> Header:
    return parse(data, ts, truncated_ok=len(data) < total or not syntax_of(ts).deflated)


def _passing(
    path: str, header: Header, bulk: tuple[int, int, int], data: bytes, opened: Readable, total: int
) -> ArrivedObject:
    """Let the rest of an object pass by its digests, and look whether all is there that it begins.

    Behind the pixel data more may follow, as much as a vendor likes.
    """
    _, at, length = bulk
    whole, pixels = hashlib.sha256(data), hashlib.sha256(memoryview(data)[at:])
    ending = Ending(dialect(explicit=header.explicit, little=header.little_endian))
    ending.feed(data[at:])
    read = len(data)
    while chunk := opened.read(_CHUNK):
        whole.update(chunk)
        pixels.update(chunk)
        ending.feed(chunk)
        read += len(chunk)
    declared = 0 if length == _UNDEFINED else at + 8 + length
    if read < total or declared > read or ending.lacks or _lacks_frames(ending, header):
        raise Malformed("The object is cut off within its pixel data, or behind them.")
    return ArrivedObject.of(header, file=path, digest=whole.hexdigest(), pixels=pixels.hexdigest())
