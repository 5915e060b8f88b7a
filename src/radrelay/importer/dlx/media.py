"""What a provider's ZIP is worth as a medium: IHE PDI, whole, and of the patient and study that the list names."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from radrelay.dicom.disc_directory import MAX_BYTES, read_directory
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import looks_like_dicom, parse_preamble
from radrelay.importer.connectors.dlx_answers import name_of
from radrelay.importer.connectors.ports import Item

HEAD, MOST_LOOKED_AT = 64 << 10, 2000
LARGE, MOST_RATIO = 16 << 20, 200


@dataclass(slots=True)
class Medium:
    """What was seen: what is wrong with the ZIP, with its count, and with whom it belongs to."""

    wrong: list[str] = field(default_factory=list)
    files: int = 0
    objects: int = 0
    strangers: list[str] = field(default_factory=list)


def examined(path: Path, item: Item | None) -> Medium:
    """Return what a ZIP is like; `item`: what was promised."""
    seen = Medium()
    try:
        with zipfile.ZipFile(path) as disc:
            _examine(disc, item, seen)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        seen.wrong.append(f"the ZIP cannot be read ({type(error).__name__})")
    return seen


def _examine(disc: zipfile.ZipFile, item: Item | None, seen: Medium) -> None:
    members = [one for one in disc.infolist() if not one.is_dir()]
    seen.files = len(members)
    unsafe = [
        one for one in members if one.filename.startswith("/") or ".." in one.filename.replace("\\", "/").split("/")
    ]
    if unsafe:
        seen.wrong.append(f"names that lead out of the ZIP: {len(unsafe)}")
    bombs = [one for one in members if one.file_size > LARGE and one.file_size > MOST_RATIO * max(1, one.compress_size)]
    if bombs:
        seen.wrong.append(f"files that unpack to more than {MOST_RATIO} times their size: {len(bombs)}")
    by_name = {one.filename.casefold(): one for one in members}
    directory = by_name.get("dicomdir")
    if directory is None:
        seen.wrong.append("there is no DICOMDIR at the root")
    else:
        seen.wrong += _directory(disc, directory, set(by_name))
    ignored = {id(one) for one in (*bombs, directory)}
    seen.strangers = sorted(set(_strangers(disc, [one for one in members if id(one) not in ignored], item, seen)))


def _directory(disc: zipfile.ZipFile, member: zipfile.ZipInfo, there: set[str]) -> Iterator[str]:
    """Yield what is wrong with a DICOMDIR."""
    if member.file_size > MAX_BYTES:
        yield "the DICOMDIR is too large"
        return
    try:
        named = read_directory(disc.read(member))
    except Malformed:
        yield "the DICOMDIR cannot be read"
        return
    missing = [one for one in named if one.path.casefold() not in there]
    if not named:
        yield "the DICOMDIR names no file"
    if missing:
        yield f"{len(missing)} of {len(named)} files that the DICOMDIR names are missing"


def _strangers(disc: zipfile.ZipFile, members: list[zipfile.ZipInfo], item: Item | None, seen: Medium) -> Iterator[str]:
    """Yield in which ways objects differ from what the list names: never the values, which are a patient's."""
    for member in members[:MOST_LOOKED_AT]:
        with disc.open(member) as file:
            head = file.read(HEAD)
        if not looks_like_dicom(head):
            continue
        try:
            known = parse_preamble(head)
            header = parse(head[known.dataset_offset :], known.transfer_syntax_uid)
        except Malformed:
            seen.wrong.append("an object cannot be read")
            continue
        seen.objects += 1
        if item is None:
            continue
        if item.study_uid and header.text(0x0020000D) != item.study_uid:
            yield "another study"
        if item.patient_name and _folded(header.person_name(0x00100010)) != _folded(item.patient_name):
            yield "another patient's name"
        born = header.date(0x00100030)
        if item.birth_date is not None and born is not None and born != item.birth_date:
            yield "another birth date"


def _folded(name: str) -> tuple[str, ...]:
    parts = name_of(name.partition("=")[0]).casefold().replace(",", "^").split("^")
    return tuple(part.strip() for part in parts[:2] if part.strip())
