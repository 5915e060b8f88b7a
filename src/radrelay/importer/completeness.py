"""What came, counted as it was promised: distinct objects of a study, or the files of the downloads that held it.

In: the people of a parcel, the paths of all that came, and what of it cannot be read. Out: numbers, and whether they
are what was promised. A download is what lies in one folder of the parcel's root (its archive), or one file there.
Programs of a viewer and a DICOMDIR are files, too, so that more of them than were promised say nothing of the images:
files stand in for objects only where they are just as many as was said of that very download.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.promises import Promise


@dataclass(frozen=True, slots=True)
class Came:
    """What came: distinct objects by study, those in each download by study, and files in it that can be read.

    `loose` are the sizes of downloads without objects (reports, mostly) that no promise was kept by so far.
    """

    objects: Mapping[str, int]
    held: Mapping[str, Mapping[str, int]]
    files: Mapping[str, int]
    loose: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(
        cls, people: Sequence[ArrivedPerson], paths: Iterable[str], unreadable: Collection[str],
        earlier: Collection[str] = (),
    ) -> Came:  # fmt: skip
        """Count what came. Of a download that came again, packed anew, the `earlier` one's files do not count."""
        objects: dict[str, set[str]] = {}
        held: dict[str, dict[str, set[str]]] = {}
        every = set(paths)
        for one in (one for person in people for study in person.studies for one in study.objects):
            uid = one.sop_uid or one.file
            objects.setdefault(one.study_uid, set()).add(uid)
            if one.file in earlier:
                continue
            held.setdefault(_download(one.file), {}).setdefault(one.study_uid, set()).add(uid)
            every.add(one.file)
        files = Counter(_download(path) for path in every - set(unreadable) - set(earlier))
        loose = Counter(number for download, number in files.items() if download not in held)
        within = {at: {uid: len(some) for uid, some in studies.items()} for at, studies in held.items()}
        return cls({uid: len(some) for uid, some in objects.items()}, within, files, loose)

    def of_study(self, study_uid: str) -> tuple[str, ...] | None:
        """Return the downloads that held a study; none where one of them held another study, too."""
        found = tuple(at for at, studies in self.held.items() if study_uid in studies)
        return None if any(len(self.held[at]) > 1 for at in found) else found

    def beside(self, study_uids: Collection[str]) -> tuple[str, ...]:
        """Return the downloads that held objects, and of none of these studies."""
        return tuple(at for at, studies in self.held.items() if studies.keys().isdisjoint(study_uids))

    def keeps(self, counts: Iterable[int], downloads: Collection[str]) -> bool:
        """Say whether each count is that of one download's files, or it has as many objects; and none is left over."""
        left = sorted(downloads, key=lambda at: (self._objects(at), at))
        for count in sorted(counts, reverse=True):
            exact = next((at for at in left if self.files[at] == count), None)
            at = exact or (left[-1] if left and self._objects(left[-1]) >= count else None)
            if at is not None:
                left.remove(at)
            elif self.loose[count]:
                self.loose[count] -= 1
            else:
                return False
        return not left

    def _objects(self, download: str) -> int:
        return sum(self.held[download].values())


def by_study(promises: Iterable[Promise]) -> dict[str, list[int | None]]:
    """Return how many files are promised in each thing that is listed of a study, none where that is not told."""
    found: dict[str, list[int | None]] = {}
    for one in promises:
        found.setdefault(one.study_uid, []).append(one.files)
    return found


def _download(path: str) -> str:
    return path.partition("/")[0]
