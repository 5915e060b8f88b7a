"""From a link on paper to a ZIP of images, at a provider that does all that providers do."""

from __future__ import annotations

import base64
import io
import json
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from radrelay.dicom import phantoms
from radrelay.dicom.disc_directory import read_directory
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer.attempts import AttemptsInMemory, counted_as
from radrelay.importer.connectors.dlx import DlxConnector, DlxErrand
from radrelay.importer.dlx.library import Library
from radrelay.importer.dlx.provider import Key
from radrelay.importer.errors import (
    AddressRefused,
    AnswerUnusable,
    AnswerWrong,
    AttemptsSpent,
    HostNotAllowed,
    LinkExpiredThere,
    LoginEnded,
    NoLoginGiven,
    NothingListed,
    NotThere,
    PageForParcel,
    ParcelTooLarge,
    PortalBusy,
    PortalRefused,
    PortalStalled,
    PortalTrouble,
    PortalUnclear,
    PortalUnreachable,
    WrongContent,
)
from radrelay.importer.findings import of_parcel
from radrelay.importer.following import listed_text
from radrelay.importer.gathering import gather
from radrelay.importer.line import Limits
from radrelay.importer.models import ImportCase
from radrelay.importer.written_down import promises_of
from tests.importer.portal import HASTY, Answer, Asked, Kept, Portal, outgoing, portal
from tests.importer.provider import BORN, RIGHT, TOKEN, Serving, Waits, connector, errand, serving

REPORT = b"%PDF-1.4\n% report\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("handed-out")
    (folder / "Befund.pdf").write_bytes(REPORT)
    for number, file in enumerate(phantoms.study("ct-head", patient=PATIENTS[6], slices=4, size=64)):
        (folder / f"{number}.dcm").write_bytes(file)
    library = Library(folder)
    with serving(library) as made:
        yield made
    library.close()


@pytest.fixture
def here(running: Serving) -> Serving:
    running.become()
    return running


@pytest.fixture
def waits() -> Waits:
    return Waits()


def link(here: Serving) -> str:
    return f"{here.base}/dlx/v1/token/{TOKEN}"


def logged_in(here: Serving, waits: Waits, limits: Limits | None = None) -> DlxErrand:
    made = errand(link(here), waits, limits) if limits else errand(link(here), waits)
    made.answer(RIGHT)
    return made


@pytest.mark.parametrize(
    "address", [f"/dlx/v1/token/{TOKEN}", f"/portal?token={TOKEN}", f"/portal/{TOKEN}", f"/#/in?token={TOKEN}"]
)
def test_a_link_leads_to_a_disc_with_its_directory(here: Serving, waits: Waits, address: str) -> None:
    made = errand(here.base + address, waits)
    (question,) = made.ask()
    assert (question.kind, question.form) == ("birth-date", "date")
    assert question.text("de-AT") == "Wann sind Sie geboren?"
    assert question.text("fr") == "When were you born?"
    made.answer({question.id: "01.01.1970"})
    study, report = made.items()
    assert study.study_uid == here.library.items[0].study_uid
    assert (study.media_type, study.modalities, study.files) == ("application/zip", ("CT",), 7)
    sink = Kept()
    came = made.download(study, sink)
    assert (came.content, came.size) == ("zip", len(sink.bytes))
    with zipfile.ZipFile(io.BytesIO(sink.bytes)) as disc:
        assert len(disc.namelist()) == study.files
        named = [one.path for one in read_directory(disc.read("DICOMDIR"))]
        assert len(named) == 4
        assert set(named) <= set(disc.namelist())
    made.download(report, sink)
    assert sink.bytes == REPORT


def test_several_questions_in_the_forms_that_are_asked_for(here: Serving, waits: Waits) -> None:
    here.become(keys=(Key(TOKEN, {"STUDY_DATE": "20240419", "PASSWORD": "Dr. Müller"}),))
    made = errand(link(here), waits)
    assert [(one.kind, one.form) for one in made.ask()] == [("study-date", "date"), ("password", "text")]
    for wrong in (
        {"1": "2024-04-19"},
        {"1": "April", "2": "x"},
        {"1": "20240419", "2": " "},
        {"1": "20241301", "2": "x"},
    ):
        with pytest.raises(AnswerUnusable):
            made.answer(wrong)
    made.answer({"1": "2024-04-19", "2": " Dr. Mu\u0308ller "})
    assert made.items()


def test_unknown_tokens_are_asked_like_others_and_refused_like_wrong_answers(here: Serving, waits: Waits) -> None:
    made = errand(f"{here.base}/dlx/v1/token/NO-SUCH-1", waits)
    assert made.ask()[0].kind == "birth-date"
    with pytest.raises(AnswerWrong):
        made.answer(RIGHT)


def test_wrong_answers_are_counted_for_each_token_and_end(here: Serving, waits: Waits) -> None:
    attempts = AttemptsInMemory(3)
    made = connector(waits, attempts)
    lead = made.recognise(link(here))
    assert lead is not None
    made.open(lead).answer(RIGHT)  # right ones do not count
    left = []
    for _ in range(3):
        with pytest.raises(AnswerWrong) as wrong:
            made.open(lead).answer({"1": "19990101"})
        left.append(wrong.value.facts["left"])
    assert left == [2, 1, 0]
    for spelled in (TOKEN, TOKEN.lower(), TOKEN.replace("-", ""), f"{TOKEN}-"):
        again = made.recognise(f"{here.base}/dlx/v1/token/{spelled}")
        assert again is not None
        with pytest.raises(AttemptsSpent):
            made.open(again).answer(RIGHT)
    other = made.recognise(f"{here.base}/portal?token=OTHER-123")
    assert other is not None
    with pytest.raises(AnswerWrong):
        made.open(other).answer(RIGHT)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda asked: asked.give(200, b'{"error": "wrong birth date"}', "application/json"), PortalUnclear),
        (lambda asked: asked.give(200, b"<!DOCTYPE html>Falsches Geburtsdatum", "text/html"), PortalUnclear),
        (lambda asked: asked.give(500, b""), PortalRefused),
        (lambda asked: asked.give(303, b"", Location="https://elsewhere.example/login"), HostNotAllowed),
        (lambda asked: asked.hang(), PortalStalled),  # who knows whether it was counted there
    ],
)
def test_answers_that_were_sent_count_whatever_the_portal_says(
    waits: Waits, answer: Answer, error: type[PortalTrouble]
) -> None:
    with portal() as made:
        TenMinutes(made, waits)
        known = connector(waits, AttemptsInMemory(1), HASTY)
        lead = known.recognise(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"))
        assert lead is not None
        made.answers[f"/dlx/v1/tokentfa/{TOKEN}"] = answer
        with pytest.raises(error):
            known.open(lead).answer(RIGHT)
        with pytest.raises(AttemptsSpent):
            known.open(lead).answer(RIGHT)


def test_an_attempt_that_never_left_or_met_an_expired_link_is_given_back(waits: Waits) -> None:
    attempts = AttemptsInMemory(1)
    with portal() as made:
        TenMinutes(made, waits)
        known = connector(waits, attempts, HASTY)
        lead = known.recognise(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"))
        assert lead is not None
        begun = known.open(lead)
        begun.ask()
        made.answers[f"/dlx/v1/tokentfa/{TOKEN}"] = lambda asked: asked.give(403, b"")
        with pytest.raises(LinkExpiredThere):
            begun.answer(RIGHT)
        made.answers[f"/dlx/v1/tokentfa/{TOKEN}"] = lambda asked: asked.give(503, b"")
        with pytest.raises(PortalBusy):  # nobody there has looked at it
            begun.answer(RIGHT)
    with pytest.raises(PortalUnreachable):
        begun.answer(RIGHT)
    assert attempts.spend(counted_as(lead.host, lead.token)) == 0


def test_an_expired_link_says_to_ask_for_reactivation(here: Serving, waits: Waits) -> None:
    here.become("expired")
    with pytest.raises(LinkExpiredThere):
        errand(link(here), waits).answer(RIGHT)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("questions-page", PortalUnclear), ("foreign-base", HostNotAllowed), ("inside-redirect", AddressRefused),
        ("jwt-missing", NoLoginGiven), ("list-empty", NothingListed), ("list-page", PortalUnclear),
        ("page-for-zip", PageForParcel), ("other-file", WrongContent), ("unknown-404", None),
        ("questions-text", None), ("jwt-json", None), ("placeholder-base", None), ("pdf-for-zip", None),
        ("comma-names", None),
    ],
)  # fmt: skip
def test_each_way_of_failing_has_a_name(
    here: Serving, waits: Waits, fault: str, error: type[PortalTrouble] | None
) -> None:
    here.become(fault)
    made = errand(link(here), waits)
    sink = Kept()

    def fetch() -> None:
        made.ask()
        made.answer(RIGHT)
        assert made.download(made.items()[0], sink).content == "zip"

    if error is None:
        fetch()
        return
    with pytest.raises(error):
        fetch()
    assert sink.bytes == b""


def test_an_address_inside_the_house_is_not_followed_even_if_allowed(here: Serving) -> None:
    here.become("inside-redirect")
    made = DlxConnector(outgoing(), AttemptsInMemory())
    lead = made.recognise(link(here))
    assert lead is not None
    with pytest.raises(AddressRefused):
        made.open(lead).ask()


def test_names_come_in_dicoms_form(here: Serving, waits: Waits) -> None:
    plain = logged_in(here, waits).items()[0].patient_name
    here.become("comma-names")
    assert logged_in(here, waits).items()[0].patient_name == plain
    assert plain == "Иванова^Мария"


def test_a_download_that_breaks_off_at_its_end_goes_on(here: Serving, waits: Waits) -> None:
    here.become("break-off")
    made = logged_in(here, waits)
    sink = Kept()
    came = made.download(made.items()[0], sink)
    assert (came.resumed, sink.begun) == (1, 1)
    zipfile.ZipFile(io.BytesIO(sink.bytes)).testzip()
    here.become("break-off", "no-ranges")
    made = logged_in(here, waits)
    assert made.download(made.items()[0], sink).sha256 == came.sha256


@pytest.mark.parametrize(("fault", "seconds"), [("busy", 1.0), ("busy-bare", 30.0)])
def test_a_busy_provider_is_waited_for(here: Serving, waits: Waits, fault: str, seconds: float) -> None:
    here.become(fault)
    made = logged_in(here, waits)
    made.download(made.items()[0], Kept())
    assert waits.waited == [seconds, seconds]


@pytest.mark.parametrize(
    ("fault", "error"), [("stall", PortalStalled), ("drip", PortalStalled), ("endless", ParcelTooLarge)]
)
def test_downloads_without_end_end(here: Serving, waits: Waits, fault: str, error: type[PortalTrouble]) -> None:
    here.become(fault, "no-ranges")
    whole_s = 60 if fault == "endless" else 0.1
    limits = Limits(idle_s=0.2, window_s=0.3, least_in_window=64 << 10, most_bytes=10 << 20, whole_s=whole_s)
    made = logged_in(here, waits, limits)
    item = made.items()[0]
    with pytest.raises(error):
        made.download(item, Kept())


def test_an_item_that_is_gone(here: Serving, waits: Waits) -> None:
    made = logged_in(here, waits)
    item = made.items()[0]
    here.library.items[0].id, kept = "gone", here.library.items[0].id
    try:
        with pytest.raises(NotThere):
            made.download(item, Kept())
    finally:
        here.library.items[0].id = kept


def jwt(life_s: int, mark: str) -> bytes:
    body = base64.urlsafe_b64encode(json.dumps({"iat": 5_000, "exp": 5_000 + life_s, "jti": mark}).encode()).rstrip(
        b"="
    )
    return b"e30." + body + b".sig"


class TenMinutes:
    """A provider whose logins count ten minutes, by its own clock, which is wrong."""

    def __init__(self, made: Portal, waits: Waits) -> None:
        self.waits, self.logins, self.given = waits, 0, 0.0
        self.once, self.silent, self.page = False, False, b""
        made.answers = {
            f"/dlx/v1/token/{TOKEN}": self.ask, f"/dlx/v1/tokentfa/{TOKEN}": self.login,
            "/dlx/v1/list": self.list, "/dlx/v1/download/a": self.download,
        }  # fmt: skip

    def ask(self, asked: Asked) -> None:
        told = {"tfaQuestion": [{"questionId": 1, "questionType": "PAT_BIRTH_DATE", "question": []}]}
        asked.give(200, json.dumps(told).encode())

    def login(self, asked: Asked) -> None:
        assert json.loads(asked.body) == {"tfaAnswer": [{"questionId": 1, "answer": BORN}]}
        if self.once and self.logins:
            asked.give(401, b"")
            return
        self.logins, self.given = self.logins + 1, self.waits.now
        asked.give(200, jwt(600, f"login {self.logins}"))

    def counts(self, asked: Asked) -> bool:
        right = asked.headers["Authorization"] == f"Bearer {jwt(600, f'login {self.logins}').decode()}"
        return right and self.waits.now - self.given < 600

    def list(self, asked: Asked) -> None:
        if self.counts(asked):
            asked.give(200, b'{"dataItem": [{"id": "a"}]}')
        else:
            self.refuse(asked)

    def refuse(self, asked: Asked) -> None:
        asked.give(200 if self.silent else 401, self.page)

    def download(self, asked: Asked) -> None:
        whole = b"PK\x03\x04" + bytes(100_000)
        if not self.counts(asked):
            self.refuse(asked)
        elif "Range" not in asked.headers:
            asked.head(200, "application/zip", len(whole), ETag='"a"')
            asked.wfile.write(whole[:99_000])
            self.waits.now += 700  # so long it took until it broke off
        else:
            asked.give(206, whole[99_000:], ETag='"a"', Content_Range=f"bytes 99000-{len(whole) - 1}/{len(whole)}")


@pytest.mark.parametrize("once", [False, True])
def test_a_download_that_outlasts_its_login_goes_on_with_a_new_one(waits: Waits, *, once: bool) -> None:
    with portal() as made:
        provider = TenMinutes(made, waits)
        provider.once = once
        errand_ = errand(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"), waits)
        errand_.answer(RIGHT)
        (item,) = errand_.items()
        sink = Kept()
        if once:  # a one-time password: what was right is not right again, and is not tried again
            with pytest.raises(LoginEnded):
                errand_.download(item, sink)
            assert sum("tokentfa" in path for _, path, _, _ in made.asked) == 2
            return
        assert errand_.download(item, sink).size == 100_004
        assert (provider.logins, sink.begun) == (2, 1)
        waits.now += 595
        assert errand_.items()  # renewed before it is refused
        assert provider.logins == 3


@pytest.mark.parametrize("page", [b"", b"<html>Please log in</html>"])
def test_a_login_that_ended_in_silence_is_renewed_and_nothing_is_lost(waits: Waits, page: bytes) -> None:
    with portal() as made:
        provider = TenMinutes(made, waits)
        provider.silent, provider.page = True, page
        errand_ = errand(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"), waits)
        errand_.answer(RIGHT)
        (item,) = errand_.items()
        sink = Kept()
        assert errand_.download(item, sink).size == 100_004
        assert (provider.logins, sink.begun) == (2, 1)
        provider.logins += 1  # which makes the login count no more, young as it is
        with pytest.raises((PageForParcel, PortalUnclear)):
            errand_.items()
        assert provider.logins == 3


def test_a_401_is_not_tried_again_by_itself(waits: Waits) -> None:
    with portal() as made:
        provider = TenMinutes(made, waits)
        errand_ = errand(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"), waits)
        errand_.answer(RIGHT)
        made.answers["/dlx/v1/list"] = lambda asked: asked.give(401, b"")
        with pytest.raises(LoginEnded):
            errand_.items()
        assert provider.logins == 1
        assert sum(path.endswith("/list") for _, path, _, _ in made.asked) == 1


def test_the_birth_date_goes_to_the_host_of_the_link_alone(waits: Waits) -> None:
    with portal() as made, portal() as other:
        bases = [other.url("/dlx/v1", "localhost"), "https://169.254.169.254/dlx/v1", "https://10.0.0.9/dlx/v1"]
        told: dict[str, object] = {"tfaQuestion": [{"questionId": "1", "questionType": "PAT_BIRTH_DATE"}]}
        made.answers[f"/dlx/v1/token/{TOKEN}"] = lambda asked: asked.give(200, json.dumps(told).encode())
        for base in bases:
            told["apiInfo"] = [{"dlxVersion": "v1", "apiBasePath": base}]
            with pytest.raises((HostNotAllowed, AddressRefused)):
                errand(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"), waits).answer(RIGHT)
        allowed = DlxConnector(outgoing(), AttemptsInMemory())
        told["apiInfo"] = [{"dlxVersion": "v1", "apiBasePath": bases[0]}]
        other.answers[f"/dlx/v1/tokentfa/{TOKEN}"] = lambda asked: asked.give(200, jwt(600, "a"))
        lead = allowed.recognise(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"))
        assert lead is not None
        allowed.open(lead).answer(RIGHT)
        told["apiInfo"] = [{"dlxVersion": "v9", "apiBasePath": bases[0]}]
        with pytest.raises(PortalUnclear):
            allowed.open(lead).ask()
        assert BORN not in made.told()
        assert other.told().count(BORN) == 1


@pytest.mark.parametrize(
    "text",
    ["", "hello", "https://portal.example/", "http://portal.example/token/ABC-123", "https://portal.example/about-us",
     "https://portal.example/index2.html", "shlink:/eyJhIjoxfQ", "https://a b/token/ABC-123", "https://[::1/token/A1B2C3"],
)  # fmt: skip
def test_what_is_no_link_is_not_recognised(waits: Waits, text: str) -> None:
    assert connector(waits).recognise(text) is None


def test_a_lead_hides_what_opens_it(waits: Waits) -> None:
    lead = connector(waits).recognise(f"https://portal.example/?token={TOKEN}")
    assert lead is not None
    assert TOKEN not in f"{lead!r} {lead}"
    assert (lead.connector, lead.host, lead.token.value) == ("dlx", "portal.example", TOKEN)


def test_no_token_answer_or_login_in_any_error(here: Serving, waits: Waits) -> None:
    told = []
    for fault in (
        "questions-page",
        "jwt-missing",
        "answers-wrong",
        "expired",
        "list-page",
        "page-for-zip",
        "busy-bare",
    ):
        here.become(fault)
        made = errand(link(here), waits)
        try:
            made.answer(RIGHT)
            made.download(made.items()[0], Kept())
        except PortalTrouble as error:
            told += [*traceback.format_exception(error), repr(error.facts)]
    text = "".join(told)
    assert "portal" in text
    assert not [one for one in (TOKEN, BORN, "1970-01-01", "eyJ") if one in text]


def test_nothing_that_is_listed_is_dropped(waits: Waits) -> None:
    """Whatever has no usable id is told as missing; ids that are numbers are asked for as they are written."""
    study = {"studyInstanceUID": "1.2.1", "fileCount": 3.0}
    listed = [
        {"id": "a", **study}, {"id": "a", **study}, {"id": "a", "studyInstanceUID": "1.2.4", "fileCount": 5},
        {"id": 7.0, "studyInstanceUID": "1.2.3"}, {"id": 7, "studyInstanceUID": "1.2.5"},
        {"studyInstanceUID": "1.2.2", "fileCount": 20}, {"id": True, "description": "x"}, {"id": None},
    ]  # fmt: skip
    with portal() as made:
        provider = TenMinutes(made, waits)
        made.answers["/dlx/v1/list"] = lambda asked: asked.give(200, json.dumps({"dataItem": listed}).encode())
        made.answers |= dict.fromkeys(["/dlx/v1/download/7.0", "/dlx/v1/download/7"], provider.download)
        errand_ = errand(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"), waits)
        errand_.answer(RIGHT)
        items = errand_.items()
        assert [(one.id, one.study_uid, one.files) for one in items if one.reachable] == [
            ("a", "1.2.1", 3), ("a", "1.2.4", 5), ("7.0", "1.2.3", None), ("7", "1.2.5", None),
        ]  # fmt: skip
        for one in items[2:4]:
            assert errand_.download(one, Kept()).size == 100_004
        made.answers["/dlx/v1/list"] = lambda asked: asked.give(200, b'{"dataItem": [{"id": null}]}')
        with pytest.raises(PortalUnclear):
            errand_.items()
    case = ImportCase(listed=listed_text(items))
    missing = [(one.study_uid, one.facts["missing"]) for one in of_parcel(gather([]).parcel(promises_of(case)))
               if one.code == "files-missing"]  # fmt: skip
    assert missing == [("1.2.2", 20), ("", 1), ("", 1)]
    assert [one.names for one in promises_of(case) or () if one.by == "unreached"] == [(), ("x",), ()]


def test_busy_without_end_is_given_up(waits: Waits) -> None:
    with portal() as made:
        TenMinutes(made, waits)
        made.answers["/dlx/v1/download/a"] = lambda asked: asked.give(503, b'{"timeOutInSeconds": 900}')
        errand_ = errand(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"), waits, HASTY)
        errand_.answer(RIGHT)
        (item,) = errand_.items()
        with pytest.raises(PortalBusy):
            errand_.download(item, Kept())
    assert waits.waited == [900, 900]


def test_a_folder_is_handed_out_study_by_study(shared_data: Path) -> None:
    library = Library(shared_data / "charset")
    try:
        assert all(one.study_uid or one.file for one in library.items)
        study = next(one for one in library.items if one.objects)
        with zipfile.ZipFile(library.file(study)) as disc:
            assert len(disc.namelist()) == study.files
    finally:
        library.close()
