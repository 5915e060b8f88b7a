"""DICOMweb with a token: shares of Kheops and Orthanc, and any service of QIDO-RS and WADO-RS that takes a Bearer.

`addresses` says what a link is of. The service is asked for the studies first (PS3.18 10.6): who does not answer in
DICOM's JSON speaks another language. A link without a token whose service wants one leads to a question, and what is
answered is counted as wrong answers elsewhere are. The token goes to the host of the link alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radrelay.importer import watching
from radrelay.importer.attempts import Attempts, counted_as, counting
from radrelay.importer.connectors.addresses import Shared, shared_by, uid_of
from radrelay.importer.connectors.dlx import nobody_watches
from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.connectors.wado import (
    GONE,
    PAGE,
    SHORT_PAGE,
    SHUT,
    STUDY_UID,
    Match,
    Pause,
    StudyAt,
    StudyFetch,
    matches_of,
    refusal,
    search,
    value_of,
    values_of,
)
from radrelay.importer.downloading import Downloaded, Sink, Tell
from radrelay.importer.errors import AnswerUnusable, AnswerWrong, NothingListed, ParcelTooLarge, PortalUnclear
from radrelay.importer.outgoing import Outgoing, Reply
from radrelay.importer.secret import Secret

TOKEN = Question("token", "password", "text")
MOST_TOKEN = 8000
OBJECTS = "00201208"
FIELDS = "00081030,00080061,00201208,00100010,00100030,00100040"
NO_SEARCH = (400, *GONE, 405, 501)
MOST_STUDIES = 5000


class DicomWebConnector:
    """Recognises shares by DICOMweb."""

    name = "dicomweb"

    def __init__(self, outgoing: Outgoing, attempts: Attempts, *, pause: Pause = watching.pause) -> None:
        self._outgoing, self._attempts, self._pause = outgoing, attempts, pause

    def recognise(self, text: str) -> Lead | None:
        """Return the lead of a share, none if it is no such link."""
        shared = shared_by(text, clear_loopback=self._outgoing.judge.loopback)
        return None if shared is None else replace(shared.lead, address=Secret(text))

    def open(self, lead: Lead) -> DicomWebErrand:
        """Begin an errand; raises `PortalUnclear`."""
        shared = shared_by(lead.address.value, clear_loopback=self._outgoing.judge.loopback)
        if shared is None:
            raise PortalUnclear(f"{lead.host} is not known to speak DICOMweb", host=lead.host)
        return DicomWebErrand(self._outgoing, shared, self._attempts, self._pause)


class DicomWebErrand:
    """One share, followed."""

    def __init__(self, outgoing: Outgoing, shared: Shared, attempts: Attempts, pause: Pause) -> None:
        self._session, self._shared, self._attempts, self._pause = outgoing.session(), shared, attempts, pause
        self._found: dict[str, Match] | None = None
        self._lost: list[Match] = []
        self._wants = False

    def ask(self) -> tuple[Question, ...]:
        """Look for the studies; returns a question where a token is wanted; raises `PortalUnclear`, others."""
        try:
            self._found = self._studies()
        except _Shut as shut:
            self._wants = not self._shared.token
            if self._wants:
                return (TOKEN,)
            raise shut.refusal from None
        return ()

    def answer(self, answers: Mapping[str, str]) -> None:
        """Take the token that was asked for; raises `AnswerUnusable`, `AnswerWrong`, `AttemptsSpent`."""
        if self._found is None and not self._wants:
            self.ask()
        if not self._wants:
            return
        token = answers.get(TOKEN.id, "").strip().removeprefix("Bearer ").strip()
        if not token or len(token) > MOST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
            raise AnswerUnusable(form="text" if token else "missing")
        host = self._shared.host
        counted = counted_as(host, Secret(f"{self._shared.base} {' '.join(self._shared.study_uids)}"))
        with counting(self._attempts, [counted], lambda: self._session.spoken, ()) as left:
            self._shared = replace(self._shared, token=Secret(token))
            try:
                self._found = self._studies()
            except _Shut:
                self._shared = replace(self._shared, token=Secret(""))
                raise AnswerWrong(host=host, left=left) from None
        self._wants = False

    def items(self) -> tuple[Item, ...]:
        """Return the studies; raises `NothingListed`."""
        found = self._found or {}
        if not found:
            raise NothingListed(host=self._shared.host)
        listed = (item_of(uid, match, whole=not self._shared.series_uid) for uid, match in found.items())
        lost = (item_of(f"nowhere {number}", match, whole=True) for number, match in enumerate(self._lost))
        uids = (uid_of(value_of(match, STUDY_UID)) for match in self._lost)
        return (*listed, *(replace(one, study_uid=uid, reachable=False) for one, uid in zip(lost, uids, strict=True)))

    def download(self, item: Item, sink: Sink, tell: Tell = nobody_watches) -> Downloaded:
        """Bring one study as a ZIP of its objects."""
        series = (self._shared.series_uid,) if self._shared.series_uid else ()
        place = StudyAt(self._shared.base, item.id, series, self._shared.credentials)
        return StudyFetch(self._session, [place], sink, tell, promised=item.files, pause=self._pause).bring()

    def _studies(self) -> dict[str, Match]:
        """Return the studies by their UIDs; raises `_Shut`, `PortalUnclear`, others."""
        named = self._shared.study_uids
        if not named:
            return self._all()
        found: dict[str, Match] = {}
        self._lost = []
        for uid in named:
            for match in self._one(uid):
                if not match or value_of(match, STUDY_UID) == uid:
                    found[uid] = match
            if uid not in found:
                self._lost.append({STUDY_UID: {"Value": [uid]}})
        return found

    def _all(self) -> dict[str, Match]:
        """Return all studies, page by page (PS3.18 8.3.4.4): until a page brings none that is new.

        Some services make pages shorter than was asked, or know of no offset; what these leave out is not reachable.
        """
        found: dict[str, Match] = {}
        self._lost, asked, more = [], 0, False
        while True:
            query: dict[str, str | int] = {"limit": PAGE, "includefield": FIELDS}
            query |= {"offset": asked} if asked else {}
            reply = search(self._session, f"{self._shared.base}/studies", query, self._shared.credentials)
            refused = asked and (400 <= reply.status < 500 or reply.status == 501)
            if asked and reply.status >= 500 and not refused:
                raise refusal(reply.status, reply.target.name, reply.headers)
            page = [] if refused else self._read(reply)
            before = len(found) + len(self._lost)
            for match in page:
                uid = uid_of(value_of(match, STUDY_UID))
                if uid and _count(match) >= _count(found.get(uid, {})):
                    found[uid] = match
                elif not uid and match not in self._lost:
                    self._lost.append(match)
            if len(found) + len(self._lost) > MOST_STUDIES:
                words = f"{self._shared.host} lists more than {MOST_STUDIES} studies"
                raise ParcelTooLarge(words, host=self._shared.host, limit=MOST_STUDIES)
            if len(found) + len(self._lost) == before:
                self._lost += [{}] if more and (page or refused) else []
                return found
            asked += len(page)
            more = len(page) in (PAGE, SHORT_PAGE) or "additional results" in reply.headers.get("warning", "")

    def _one(self, uid: str) -> list[Match]:
        """Ask for a study; a service without a search, or whose token opens no more than studies, may have it."""
        shared = self._shared
        query: dict[str, str | int] = {"StudyInstanceUID": uid, "includefield": FIELDS}
        reply = search(self._session, f"{shared.base}/studies", query, shared.credentials)
        unsearchable = reply.status in NO_SEARCH or (reply.status == 403 and shared.token)
        if unsearchable and _is_there(reply := self._metadata(uid)):
            return [{}]
        return self._read(reply)

    def _read(self, reply: Reply) -> list[Match]:
        if reply.status in SHUT:
            raise _Shut(reply)
        return matches_of(reply)

    def _metadata(self, study_uid: str) -> Reply:
        url = f"{self._shared.base}/studies/{study_uid}/series"
        return search(self._session, url, {"limit": 1}, self._shared.credentials)


class _Shut(Exception):
    """The service opens nothing without a token, or not with this one."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.target.name)
        self.refusal = refusal(reply.status, reply.target.name, reply.headers)


def _is_there(reply: Reply) -> bool:
    try:
        return bool(matches_of(reply))
    except PortalUnclear:
        return False


def _count(match: Match) -> int:
    count = value_of(match, OBJECTS)
    return int(count) if count.isdecimal() and count.isascii() else 0


def item_of(uid: str, match: Match, *, whole: bool) -> Item:
    """Return a study as QIDO-RS tells of it; `whole`: all of it is fetched, so that its count counts."""
    return Item(
        uid,
        "application/dicom",
        value_of(match, "00081030"),
        uid,
        date_of(value_of(match, "00080020")),
        tuple(values_of(match, "00080061"))[:50],
        value_of(match, "00100010"),
        date_of(value_of(match, "00100030")),
        value_of(match, "00100040")[:1].upper(),
        (_count(match) or None) if whole else None,
    )
