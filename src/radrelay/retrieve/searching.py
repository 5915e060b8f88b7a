"""One search over several archives: asked at once, each within its time, merged by study.

An archive that does not answer, or answers with rubbish, costs the others nothing: its trouble stands beside what they
found. The same study of several archives is one line that names them all.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import structlog

from radrelay.errors import RadrelayError, Trouble
from radrelay.retrieve.errors import Broken, SearchTimedOut
from radrelay.retrieve.ports import Answer, FoundStudy, PacsNode

log = structlog.get_logger(__name__)

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Merged:
    """A study and the archives that have it, in the order in which they were asked.

    `disagree` says that they name different patients for it: then nobody should fetch it unseen.
    """

    study: FoundStudy
    pacs: tuple[uuid.UUID, ...]
    disagree: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """How one archive answered: how many studies it told of, whether it has more, what could not be read."""

    pacs: uuid.UUID
    found: int = 0
    more: bool = False
    unreadable: int = 0
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a search brought, newest studies first."""

    studies: tuple[Merged, ...] = ()
    asked: tuple[Asked, ...] = field(default=())


def search(nodes: Sequence[PacsNode], ask: Callable[[PacsNode], Answer], within_s: float) -> Result:
    """Ask all archives at once and merge what they answer within so many seconds."""
    pool = ThreadPoolExecutor(min(AT_ONCE, max(1, len(nodes))), thread_name_prefix="search")
    try:
        asked = [(node, pool.submit(_ask, ask, node)) for node in nodes]
        wait([future for _, future in asked], within_s)
        answers = [(node, *_answer_of(node, future, within_s)) for node, future in asked]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return merge(answers)


def merge(answers: Sequence[tuple[PacsNode, Answer, Trouble | None]]) -> Result:
    """Make one list of several archives' answers."""
    studies: dict[str, FoundStudy] = {}
    having: dict[str, list[uuid.UUID]] = {}
    patients: dict[str, set[tuple[str, str]]] = {}
    asked = []
    for node, answer, trouble in answers:
        asked.append(Asked(node.id, len(answer.studies), answer.more, answer.unreadable, trouble))
        for study in answer.studies:
            known = studies.setdefault(study.study_uid, study)
            if _is_fuller(study, known):
                studies[study.study_uid] = study
            patients.setdefault(study.study_uid, set()).add(_person(study))
            if node.id not in having.setdefault(study.study_uid, []):
                having[study.study_uid].append(node.id)
    merged = [Merged(study, tuple(having[uid]), len(patients[uid]) > 1) for uid, study in studies.items()]
    merged.sort(key=lambda one: (one.study.study_date, one.study.study_time, one.study.study_uid), reverse=True)
    return Result(tuple(merged), tuple(asked))


def _is_fuller(study: FoundStudy, known: FoundStudy) -> bool:
    return (study.instances or 0) > (known.instances or 0)


def _person(study: FoundStudy) -> tuple[str, str]:
    """Return what tells people apart: two archives may give one person two IDs, but not two birth dates."""
    return " ".join(study.patient_name.upper().replace("^", " ").split()), study.birth_date


def _ask(ask: Callable[[PacsNode], Answer], node: PacsNode) -> tuple[Answer, Trouble | None]:
    try:
        return ask(node), None
    except Broken as broken:
        return Answer(()), broken.trouble
    except RadrelayError as error:
        return Answer(()), Trouble.of(error)


def _answer_of(
    node: PacsNode, future: Future[tuple[Answer, Trouble | None]], within_s: float
) -> tuple[Answer, Trouble | None]:
    if not future.done():
        log.warning("an archive has not answered a search in time", pacs=node.name, within_s=within_s)
        return Answer(()), Trouble.of(SearchTimedOut(f"no answer within {within_s:g} s", seconds=int(within_s)))
    return future.result()
