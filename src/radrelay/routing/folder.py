"""Carries studies into a folder, as file-sets with a DICOMDIR (PS3.10, PS3.12): whole, or not there.

Each delivery is written beside its place, in a folder whose name begins with a dot, file by file and synced; once all
is there it gets its DICOMDIR and its name in one rename. Killed at any moment, it goes on where it was.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from radrelay.dicom.errors import Malformed
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.dicom.syntaxes import syntax_of
from radrelay.errors import RadrelayError, Trouble
from radrelay.routing.carriers import Answer, DeliveryItem, Errand
from radrelay.routing.errors import FolderUnusable, Interrupted, ReceiptsVoid
from radrelay.routing.kinds import is_below
from radrelay.routing.models import Delivery, Destination

STUDY_UID = 0x0020000D
_UID = re.compile(r"[0-9.]{1,64}")
HEAD_BYTES = 1 << 20
"""A directory record needs no more of an object than this."""


@dataclass(frozen=True)
class FolderCarrier:
    """Fulfils `routing.carriers.Carrier` for folders below `allowed`."""

    allowed: Sequence[Path]
    carries: bool = True

    @contextmanager
    def open(self, errand: Errand, portion: Sequence[DeliveryItem]) -> Iterator[_Writing]:
        """Make the folder that is written into; raises `Interrupted`."""
        del portion
        made = beside(self.folder(errand.destination), errand.delivery)
        try:
            made.mkdir(exist_ok=True)
        except OSError as error:
            raise _unusable(errand.destination, error) from error
        yield _Writing(made, errand.destination)

    def portions(self, items: Sequence[DeliveryItem]) -> Iterator[Sequence[DeliveryItem]]:
        """All go at once."""
        yield items

    def finish(self, errand: Errand) -> None:
        """Give a delivery its DICOMDIR and its name; raises `Interrupted`, `ReceiptsVoid`."""
        folder, ending = self.folder(errand.destination), f"-{errand.delivery.id.hex[-12:]}"
        part = beside(folder, errand.delivery)
        try:
            if any(folder.glob(f"*{ending}")):
                return
            study_uid = _arrange(part, errand.items)
            _sync(part)
            part.rename(folder / f"{study_uid}{ending}")
            _sync(folder)
        except FileNotFoundError as error:
            shutil.rmtree(part, ignore_errors=True)
            lost = FolderUnusable(f"what was written in {folder} is not there any more", folder=str(folder), reason="")
            raise ReceiptsVoid(lost) from error
        except OSError as error:
            raise _unusable(errand.destination, error) from error

    def folder(self, destination: Destination) -> Path:
        """Return the folder of a destination; raises `Interrupted` if it is not one that may be written into."""
        path = Path(destination.address)
        if not is_below(path, self.allowed):
            words = f"{path} is not below a folder that work.folders names"
            raise Interrupted(FolderUnusable(words, folder=str(path)), down=True)
        if not path.is_dir():
            raise Interrupted(FolderUnusable(f"there is no folder {path}", folder=str(path)), down=True)
        return path


def beside(folder: Path, delivery: Delivery) -> Path:
    """Return where a delivery is written until it is whole."""
    return folder / f".{delivery.id}.part"


class _Writing:
    """Fulfils `routing.carriers.Sending`."""

    def __init__(self, made: Path, destination: Destination) -> None:
        self._made = made
        self._destination = destination

    def send(self, item: DeliveryItem) -> Answer:
        """Write one object as a DICOM file, in the transfer syntax that it is kept in; raises `Interrupted`."""
        try:
            syntax, pieces = item.open([item.transfer_syntax])
        except RadrelayError as error:
            return Answer(error.dimse_status, error.message, "", Trouble.of(error))
        try:
            path = self._made / f"{item.instance_id}"
            with path.open("wb") as file:
                file.write(file_meta(item.sop_class_uid, item.sop_uid, syntax))
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unusable(self._destination, error) from error
        return Answer(0, "", syntax)


def _arrange(part: Path, items: Sequence[DeliveryItem]) -> str:
    """Move each object to its place in the file-set and write the directory; returns the StudyInstanceUID.

    Raises `FileNotFoundError` for an object that is not there.
    """
    _gather(part, items)
    files, unread, study_uid = FileSet(), 0, ""
    for item in items:
        source = part / str(item.instance_id)
        header, syntax = _read(source)
        if header is None:
            unread += 1
            file_id: tuple[str, ...] = ("DICOM", "UNREAD", f"U{unread:07d}")
        else:
            study_uid = study_uid or header.text(STUDY_UID)
            file_id = files.add(header, syntax, sop_class_uid=item.sop_class_uid, sop_uid=item.sop_uid)
        target = part.joinpath(*file_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    with (part / "DICOMDIR").open("wb") as file:
        file.write(files.dicomdir())
        file.flush()
        os.fsync(file.fileno())
    for path in part.rglob("*"):
        if path.is_dir():
            _sync(path)
    return study_uid if _UID.fullmatch(study_uid) else "study"


def _gather(part: Path, items: Sequence[DeliveryItem]) -> None:
    """Take objects back that were moved to their places when an arrangement was cut off."""
    by_uid = {item.sop_uid: item for item in items}
    for path in [path for path in (part / "DICOM").rglob("*") if path.is_file()]:
        with path.open("rb") as file:
            item = by_uid.get(parse_preamble(file.read(4096)).sop_uid)
        if item is not None:
            path.rename(part / str(item.instance_id))
    shutil.rmtree(part / "DICOM", ignore_errors=True)


def _read(path: Path) -> tuple[Header | None, str]:
    """Return a file's attributes as far as they can be read, and its transfer syntax."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        found = parse_preamble(head[:4096])
        if syntax_of(found.transfer_syntax_uid).deflated:
            head += file.read()
    try:
        return parse(head[found.dataset_offset :], found.transfer_syntax_uid), found.transfer_syntax_uid
    except Malformed:
        return None, found.transfer_syntax_uid


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _unusable(destination: Destination, error: OSError) -> Interrupted:
    words = f"{destination.address} cannot be written: {error.strerror or error}"
    facts = {"folder": destination.address, "reason": error.strerror or str(error)}
    return Interrupted(FolderUnusable(words, **facts), down=True)
