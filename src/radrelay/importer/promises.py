"""What a parcel was promised to hold: by a portal's list, a DICOMDIR, or the metadata of an XDM.

In: what names studies, files or objects. Out: promises, which nothing else is decided by than what is missing and
whether they name somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from radrelay.dicom.disc_directory import DiscFile
from radrelay.importer.arrived import NOBODY, Person
from radrelay.importer.xdm import XdmDocument

_METADATA = re.compile(r"(?:^|/)ihe_xdm/[^/]+/metadata\.xml$")
PromisedBy = Literal["list", "unreached", "dicomdir", "xdm"]


@dataclass(frozen=True, slots=True)
class Promise:
    """What one source promises of one study (or of none in particular): how many files, which objects, which files.

    A list tells numbers alone (`files`), which may count documents, too. What it names without a way to fetch it is
    promised by `unreached`, which counts the files that nobody can bring; `names` say what that is called.
    """

    by: PromisedBy
    study_uid: str = ""
    files: int | None = None
    sop_uids: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    person: Person = NOBODY
    names: tuple[str, ...] = ()
    unreached: int = 0


class Listed(Protocol):
    """One thing that a portal's list names."""

    @property
    def study_uid(self) -> str: ...  # noqa: D102  # as DLX has it
    @property
    def files(self) -> int | None: ...  # noqa: D102  # as DLX has it
    @property
    def patient_name(self) -> str: ...  # noqa: D102  # as DLX has it
    @property
    def birth_date(self) -> date | None: ...  # noqa: D102  # as DLX has it
    @property
    def sex(self) -> str: ...  # noqa: D102  # as DLX has it
    @property
    def description(self) -> str: ...  # noqa: D102  # as DLX has it
    @property
    def reachable(self) -> bool: ...  # noqa: D102  # whether it can be fetched


def of_list(items: Iterable[Listed]) -> tuple[Promise, ...]:
    """Return what a portal's list promises, a promise for each thing on it; one study may come in several."""
    found: dict[tuple[str, Person], int | None] = {}
    unreached: dict[tuple[str, Person], tuple[int, tuple[str, ...]]] = {}
    for one in items:
        key = one.study_uid, Person(one.patient_name, birth_date=one.birth_date, sex=one.sex.upper()[:1])
        if not one.reachable:
            files, names = unreached.get(key, (0, ()))
            unreached[key] = files + (one.files or 1), (*names, *([one.description] if one.description else []))
            continue
        before = found.get(key, 0)
        found[key] = None if before is None or one.files is None else before + one.files
    listed = [Promise("list", study_uid, files, person=person) for (study_uid, person), files in found.items()]
    return (*listed, *(_unreached(*key, *told) for key, told in unreached.items()))


def _unreached(study_uid: str, person: Person, files: int, names: tuple[str, ...]) -> Promise:
    """Return the promise of what cannot be fetched."""
    return Promise("unreached", study_uid, files, person=person, names=tuple(dict.fromkeys(names)), unreached=files)


def of_directory(files: Iterable[DiscFile], folder: str = "") -> tuple[Promise, ...]:
    """Return what a DICOMDIR in `folder` of the parcel promises, a promise for each study."""
    studies: dict[str, list[DiscFile]] = {}
    for one in files:
        studies.setdefault(one.study_uid, []).append(one)
    return tuple(
        Promise(
            "dicomdir",
            study_uid,
            len(some),
            frozenset(one.sop_uid for one in some if one.sop_uid),
            frozenset(plain_path(f"{folder}/{one.path}") for one in some if not one.sop_uid),
        )
        for study_uid, some in sorted(studies.items())
    )


def of_xdm(documents: Iterable[XdmDocument], folder: str = "") -> tuple[Promise, ...]:
    """Return what the metadata in `folder` of the parcel promise, a promise for each person that they name."""
    people: dict[Person, list[XdmDocument]] = {}
    for one in documents:
        people.setdefault(one.person, []).append(one)
    return tuple(
        Promise(
            "xdm",
            "",
            None,
            paths=frozenset(plain_path(f"{folder}/{one.path}") for one in some if one.path),
            person=person,
        )
        for person, some in people.items()
    )


def directories(paths: Iterable[str]) -> tuple[str, ...]:
    """Return which files of a parcel are DICOMDIRs (IHE PDI: RAD TF-3 4.47), by their names."""
    return tuple(one for one in paths if plain_path(one).rpartition("/")[2] == "dicomdir")


def metadata(paths: Iterable[str]) -> tuple[str, ...]:
    """Return which files of a parcel are the metadata of an XDM: IHE_XDM/<subset>/METADATA.XML."""
    return tuple(one for one in paths if _METADATA.search(plain_path(one)))


def plain_path(path: str) -> str:
    """Return a path as file IDs have it: some systems show them in lower case, or with a dot or a version.

    URIs of an XDM may lead up (`../DATA/1.pdf`); above the parcel there is nothing.
    """
    parts: list[str] = []
    for one in path.replace("\\", "/").lower().split("/"):
        if one == "..":
            parts = parts[:-1]
        elif one not in ("", "."):
            parts.append(one)
    return "/".join(parts).removesuffix(";1").removesuffix(".")


def tails(path: str) -> Iterator[str]:
    """Yield a path, and what is left of it without its first folder, its first two, and so on."""
    yield path
    at = path.find("/")
    while at >= 0:
        yield path[at + 1 :]
        at = path.find("/", at + 1)
