"""The conformance kit: tests any provider of DLX, clause by clause of the contract, and says what it saw.

It asks as an importer does, and besides with an unknown token, a wrong answer, no login and an unknown id. A clause
that cannot be tested (no answers given, the provider never busy) is said to be so. What it says names no token, answer,
patient or UID.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from radrelay.importer.connectors.dlx_answers import Login, asked_of, items_of, login_of, written_answer
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.contents import Content
from radrelay.importer.dlx import contract
from radrelay.importer.dlx.contract import BY_ID, CLAUSES, Clause
from radrelay.importer.dlx.forms import (
    answers_body,
    asks,
    come_back_s,
    is_host,
    item_faults,
    login_faults,
    named,
    other_than,
    parts_of,
    question_faults,
    told_base,
)
from radrelay.importer.dlx.media import examined
from radrelay.importer.downloading import Download, Downloaded
from radrelay.importer.errors import AnswerUnusable, PortalBusy, PortalTrouble
from radrelay.importer.outgoing import Outgoing, Reply, Request
from radrelay.importer.places import target_of

Outcome = Literal["passed", "failed", "advice", "untested"]
ANYTHING: frozenset[Content] = frozenset(
    {"zip", "dicom", "pdf", "jpeg", "png", "tiff", "gif", "xml", "text", "json", "unknown"}
)
KINDS: Mapping[str, Content] = {
    "application/zip": "zip", "application/x-zip-compressed": "zip", "application/pdf": "pdf", "image/jpeg": "jpeg",
    "application/dicom": "dicom", "image/png": "png", "image/tiff": "tiff",
}  # fmt: skip
MOST_WAITS, MOST_WAIT_S = 5, 60.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Finding:
    """A clause and what was seen of it."""

    clause: Clause
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What to test with: a lead, the answers by the questions' kinds, and a token that has expired if there is one."""

    lead: Lead
    answers: Mapping[str, str]
    expired: Lead | None = None
    most_items: int = 20


def check(outgoing: Outgoing, subject: Subject, pause: Callable[[float], None] = time.sleep) -> list[Finding]:
    """Return a finding for each clause of the contract, in its order."""
    run = _Run(outgoing, subject, pause)
    with tempfile.TemporaryDirectory(prefix="radrelay-dlx-check-") as folder:
        run.run(Path(folder))
    return [run.found.get(one.id, Finding(one, "untested", run.why)) for one in CLAUSES]


class _Stopped(Exception):
    """Nothing further can be tested."""


class _Run:
    def __init__(self, outgoing: Outgoing, subject: Subject, pause: Callable[[float], None]) -> None:
        self._session, self._outgoing, self._subject, self._pause = outgoing.session(), outgoing, subject, pause
        self._base, self._secure = "", True
        self._right, self._since = b"", 0.0
        self._entered: Login | None = None
        self.found: dict[str, Finding] = {}
        self.why = "not reached: an earlier step failed"

    def run(self, folder: Path) -> None:
        """Test all that can be tested."""
        try:
            asked, questions = self._questions()
            self._strange_token(questions)
            self._api_info()
            bearer = self._login(questions, asked)
            items = self._list(bearer)
            self._closed(items)
            self._downloads(items, bearer, folder)
        except _Stopped as stopped:
            self.why = str(stopped)

    def _note(self, clause: str, *wrong: str, detail: str = "") -> bool:
        """Note what was seen; without `wrong` it passed. What failed once stays failed."""
        told, held = "; ".join(one for one in wrong if one), self.found.get(clause)
        if held is not None and held.outcome in ("failed", "advice"):
            return not told
        failed: Outcome = "failed" if BY_ID[clause].force == "must" else "advice"
        self.found[clause] = Finding(BY_ID[clause], failed if told else "passed", told or detail)
        return not told

    def _untested(self, clause: str, why: str) -> None:
        self.found.setdefault(clause, Finding(BY_ID[clause], "untested", why))

    @contextmanager
    def _noting(self, clause: str) -> Iterator[None]:
        """Let a clause fail by what goes wrong on the way."""
        try:
            yield
        except PortalTrouble as trouble:
            self._note(clause, trouble.message)

    def _ask(
        self, method: str, path: str, credentials: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        headers = {contract.HEADER: "1", "Accept": "*/*"} | ({"Content-Type": contract.JSON} if body else {})
        return self._session.ask(Request(method, f"{self._base}/{path}", headers, credentials or {}, body))

    def _questions(self) -> tuple[Mapping[str, Any], tuple[Question, ...]]:
        """Ask for the questions at the address that was given and at the base; raises `_Stopped`."""
        given, token = self._subject.lead.address.value, quote(self._subject.lead.token.value, safe="")
        target = target_of(given, clear_loopback=self._outgoing.judge.loopback)
        before, found, _ = target.path.partition(f"/{contract.TOKEN}/")
        self._base, self._secure = (
            target.url.removesuffix(target.path) + (before if found else contract.BASE),
            target.secure,
        )
        if found:
            self._untested("portal", "give the portal's own address, as the QR code holds it, to test this")
        else:
            with self._noting("portal"):
                portal = self._session.ask(Request("GET", given, {contract.HEADER: "1", "Accept": contract.JSON}))
                self._note("portal", "" if asks(portal) else f"it answers HTTP {portal.status}, without tfaQuestion")
                told = told_base(portal.json()) if asks(portal) else ""
                self._base = told if parts_of(told).netloc == target.name else self._base
        try:
            reply = self._ask("GET", f"{contract.TOKEN}/{token}")
        except PortalTrouble as trouble:
            reached = trouble.code in ("portal-not-allowed", "portal-address-refused", "portal-redirects")
            self._note("questions" if reached else "reached", trouble.message)
            raise _Stopped("no questions came") from trouble
        if self._secure:
            self._note("reached")
        else:
            self._untested("reached", "by http, on this machine: neither HTTPS nor a certificate was tested")
        with self._noting("questions"):
            asked = asked_of(reply) if reply.status == contract.OK else None
            what = "a web page" if reply.body.lstrip()[:1] == b"<" else f"HTTP {reply.status} without tfaQuestion"
            if self._note("questions", "" if asked else f"it answers with {what}") and asked is not None:
                self._form(reply.json())
                return asked.ids, asked.questions
        raise _Stopped("no questions came")

    def _form(self, told: Mapping[str, Any]) -> None:
        wrong = [one for raw in told["tfaQuestion"] for one in question_faults(raw)]
        self._note("questions-form", *dict.fromkeys(wrong))
        listed = told.get("apiInfo")
        infos = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        bases = [parts_of(str(one.get("apiBasePath", ""))) for one in infos]
        host = urlsplit(self._base).netloc
        faults = ["apiInfo is missing"] if not infos else []
        faults += ["dlxVersion is missing"] if any(not one.get("dlxVersion") for one in infos) else []
        for one in bases:
            local = not self._secure and one.hostname in LOOPBACK
            if not is_host(one.netloc):
                faults.append("apiBasePath is no address, or a placeholder for one")
                continue
            faults += ["apiBasePath is not HTTPS"] if one.scheme != "https" and not local else []
            faults += [f"apiBasePath leads to another host ({one.netloc[:100]})"] if one.netloc != host else []
        self._note("base", *dict.fromkeys(faults))

    def _strange_token(self, questions: Sequence[Question]) -> None:
        """Ask and answer for a token that nobody has."""
        strange = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        with self._noting("unknown-token"):
            reply = self._ask("GET", f"{contract.TOKEN}/{strange}")
            self._note("unknown-token", "" if asks(reply) else f"it answers HTTP {reply.status}")
        with self._noting("unknown-answer"):
            told = [{"questionId": one.id, "answer": "19000101"} for one in questions]
            reply = self._ask("POST", f"{contract.ANSWERS}/{strange}", body=answers_body(told))
            self._note("unknown-answer", other_than(reply, contract.UNAUTHORISED))

    def _api_info(self) -> None:
        with self._noting("api-info"):
            reply = self._ask("GET", contract.API_INFO)
            told = reply.json() if reply.status == contract.OK else None
            good = isinstance(told, dict) and told.get("dlxVersion") and told.get("apiBasePath")
            self._note("api-info", "" if good else f"it answers HTTP {reply.status} without them")

    def _login(self, questions: Sequence[Question], ids: Mapping[str, Any]) -> Mapping[str, str]:
        """Answer wrongly, then rightly; raises `_Stopped`."""
        token = quote(self._subject.lead.token.value, safe="")
        wrong = [{"questionId": ids[one.id], "answer": "19000101"} for one in questions]
        if not questions:
            self._untested("wrong-answer", "nothing is asked")
        else:
            with self._noting("wrong-answer"):
                reply = self._ask("POST", f"{contract.ANSWERS}/{token}", body=answers_body(wrong))
                self._note("wrong-answer", other_than(reply, contract.UNAUTHORISED))
        missing = sorted({one.kind for one in questions} - self._subject.answers.keys())
        if missing:
            raise _Stopped(f"no answer was given to: {', '.join(missing)}")
        try:
            right = [
                {"questionId": ids[one.id], "answer": written_answer(one, self._subject.answers[one.kind])}
                for one in questions
            ]
        except AnswerUnusable as unusable:
            raise _Stopped("an answer is not of the form that is asked for") from unusable
        self._expired(right)
        self._right = answers_body(right)
        with self._noting("login"):
            self._enter()
        if self._entered is None:
            raise _Stopped("no login came")
        return self._bearer()

    def _enter(self) -> None:
        """Give the right answers; raises `PortalTrouble`."""
        token = quote(self._subject.lead.token.value, safe="")
        reply = self._ask("POST", f"{contract.ANSWERS}/{token}", body=self._right)
        if self._note("login", *login_faults(reply)) or reply.status == contract.OK:
            self._entered, self._since = login_of(reply, time.time()), time.monotonic()

    def _bearer(self) -> Mapping[str, str]:
        """Return the login, renewed when half of its time is over: a large study takes longer than it counts."""
        if self._entered is not None and time.monotonic() - self._since > self._entered.life_s / 2:
            with self._noting("login"):
                self._enter()
        return {"Authorization": f"Bearer {self._entered.jwt if self._entered else ''}"}

    def _expired(self, right: list[dict[str, Any]]) -> None:
        if self._subject.expired is None:
            self._untested("expired", "give the address of an expired link with the same answers to test this")
            return
        with self._noting("expired"):
            token = quote(self._subject.expired.token.value, safe="")
            reply = self._ask("POST", f"{contract.ANSWERS}/{token}", body=answers_body(right))
            self._note("expired", other_than(reply, contract.EXPIRED))

    def _list(self, bearer: Mapping[str, str]) -> tuple[Item, ...]:
        """Ask for the list; raises `_Stopped`."""
        with self._noting("list"):
            reply = self._ask("GET", contract.LIST, bearer)
            if self._note("list", other_than(reply, contract.OK)):
                items, told = tuple(one for one in items_of(reply) if one.reachable), reply.json()
                raw = told["dataItem"] if isinstance(told, dict) else told
                lacking = any(not one.get(name) for one in raw for name in ("id", "mimeType", "description"))
                faults = (
                    "nothing is listed" if not items else "",
                    "it is no object with dataItem" if not isinstance(told, dict) else "",
                    "id, mimeType or description is missing" if lacking else "",
                )
                self._note("list", *faults)
                self._note("list-form", *dict.fromkeys(fault for one in raw for fault in item_faults(one)))
                if items:
                    return items
        raise _Stopped("nothing is listed")

    def _closed(self, items: Sequence[Item]) -> None:
        """Ask without a login, and with one that is none."""
        forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
        for clause, path in (
            ("list-closed", contract.LIST),
            ("download-closed", f"{contract.DOWNLOAD}/{quote(items[0].id, safe='')}"),
        ):
            for credentials, words in (({}, "without a JWT"), (forged, "with a forged JWT")):
                with self._noting(clause):
                    status = self._status(path, credentials)
                    wrong = "" if status == contract.UNAUTHORISED else f"{words} it answers HTTP {status}"
                    self._note(clause, wrong)

    def _status(self, path: str, credentials: Mapping[str, str]) -> int:
        """Return the status of an answer whose body may be large, and is not read."""
        with self._session.answering(Request("GET", f"{self._base}/{path}", credentials=credentials)) as reply:
            return reply.status

    def _downloads(self, items: Sequence[Item], bearer: Mapping[str, str], folder: Path) -> None:
        with self._noting("unknown-item"):
            status = self._status(f"{contract.DOWNLOAD}/{secrets.token_hex(16)}", bearer)
            self._note("unknown-item", "" if status == contract.BAD_REQUEST else f"it answers HTTP {status}")
        for item in items[: self._subject.most_items]:
            path, bearer = f"{contract.DOWNLOAD}/{quote(item.id, safe='')}", self._bearer()
            came = self._fetched("download", path, bearer, folder / "item")
            if came is not None:
                self._judge(item, came, folder / "item")
                self._resumes(path, self._bearer(), came.size)
        came = self._fetched("download-all", contract.DOWNLOAD_ALL, self._bearer(), folder / "all")
        if came is not None:
            seen = examined(folder / "all", None)
            self._note("download-all", "" if came.content == "zip" else f"it is {named(came.content)}", *seen.wrong)
        self._untested("busy", "the provider was never busy")
        for clause in ("media", "count", "patient"):
            self._untested(clause, "no study came as a ZIP")

    def _fetched(self, clause: str, path: str, bearer: Mapping[str, str], file: Path) -> Downloaded | None:
        """Fetch, waiting where the provider is busy; what goes wrong is noted."""
        with self._noting(clause):
            if not self._ready(clause, path, bearer):
                return None
            with file.open("wb") as opened:
                carried = Download(
                    self._session,
                    f"{self._base}/{path}",
                    _FileSink(opened),
                    accept=ANYTHING | {"page"},
                    pause=self._pause,
                )
                came = carried.carry_on(bearer)
            self._note(clause)
            return came
        return None

    def _ready(self, clause: str, path: str, bearer: Mapping[str, str]) -> bool:
        """Wait until a download is answered."""
        for _ in range(MOST_WAITS):
            with self._session.answering(Request("GET", f"{self._base}/{path}", credentials=bearer)) as reply:
                if reply.status == contract.OK:
                    return True
                if reply.status != contract.BUSY:
                    return self._note(clause, f"it answers HTTP {reply.status}")
                seconds = come_back_s(reply)
            self._note("busy", "" if seconds is not None else "503 without timeOutInSeconds")
            self._pause(min(MOST_WAIT_S, seconds or 1.0))
        raise PortalBusy("it is busy without end")

    def _judge(self, item: Item, came: Downloaded, file: Path) -> None:
        """Judge what came by its bytes."""
        promised = KINDS.get(item.media_type)
        other = f"{item.media_type or 'no mimeType'}, but the bytes are {named(came.content)}"
        self._note("content", "" if promised in (came.content, None) and came.content != "page" else other)
        if came.content != "zip":
            return
        seen = examined(file, item)
        self._note("media", *seen.wrong, detail=f"{seen.objects} objects in {seen.files} files")
        if item.files is not None:
            self._note("count", "" if item.files == seen.files else f"{item.files} are promised, {seen.files} came")
        self._note("patient", f"objects are of {', '.join(seen.strangers)}" if seen.strangers else "")

    def _resumes(self, path: str, bearer: Mapping[str, str], size: int) -> None:
        """Ask for a part of what came."""
        with self._noting("resume"):
            with self._session.answering(Request("GET", f"{self._base}/{path}", credentials=bearer)) as whole:
                tag = whole.headers.get("etag", "")
            headers = {"Range": f"bytes={size // 2}-", "If-Range": tag}
            request = Request("GET", f"{self._base}/{path}", headers, bearer)
            with self._session.answering(request) as part:
                goes_on = part.status == 206 and part.headers.get("content-range", "").startswith(f"bytes {size // 2}-")
            self._note("resume", "" if tag.startswith('"') else "no ETag", "" if goes_on else "no range is given")


class _FileSink:
    def __init__(self, file: Any) -> None:
        self._file = file

    def begin(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()

    def write(self, piece: bytes) -> None:
        """Write on."""
        self._file.write(piece)
