"""Shares by DICOMweb: a service that lists and hands out, breaks off, stalls, refuses, and lies about what it sends."""

from __future__ import annotations

import io
import json
import traceback
import zipfile
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom import dcmread
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from radrelay.dicom import phantoms
from radrelay.dicom.header import parse
from radrelay.dicom.multipart import Part, write_parts
from radrelay.dicom.part10 import parse_preamble
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dicomweb import DicomWebConnector, DicomWebErrand
from radrelay.importer.errors import (
    AddressRefused,
    AnswerUnusable,
    AnswerWrong,
    AttemptsSpent,
    LinkExpiredThere,
    NothingListed,
    NotThere,
    PageForParcel,
    ParcelTooLarge,
    PortalBrokeOff,
    PortalBusy,
    PortalRefused,
    PortalStalled,
    PortalTrouble,
    PortalUnclear,
    WrongContent,
)
from radrelay.importer.gathering import gather
from radrelay.importer.line import Limits
from tests.importer.portal import HASTY, PATIENT, Answer, Asked, Kept, Portal, outgoing, portal
from tests.importer.test_gathering import File

FILES = list(phantoms.study("ct-head", slices=5, size=64))
HEADS = [parse_preamble(one) for one in FILES]
HEADERS = [parse(one[head.dataset_offset :], head.transfer_syntax_uid) for one, head in zip(FILES, HEADS, strict=True)]
STUDY, SERIES = HEADERS[0].text(0x0020000D), HEADERS[0].text(0x0020000E)
TOKEN = "tok-abc123"
BEARER = f"Bearer {TOKEN}"
PAGE = b"<!DOCTYPE html><title>Anmeldung</title>" + b"x" * 5000


def waits_for_nothing(seconds: float) -> None:
    del seconds


def body(files: list[bytes]) -> bytes:
    head = (("Content-Type", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),)
    return b"".join(bytes(one) for one in write_parts([Part(head, [file]) for file in files], "frontier"))


MULTIPART = 'multipart/related; type="application/dicom"; boundary="frontier"'


class Service:
    """A DICOMweb service of one study; what it does otherwise is a test's to say."""

    def __init__(self, made: Portal, root: str = "/rs") -> None:
        self.made, self.root, self.lists, self.study = made, root, True, f"{root}/studies/{STUDY}"
        made.answers |= {
            f"{root}/studies": self.search, self.study: self.whole, f"{self.study}/series": self.search,
            f"{self.study}/instances": self.instances, f"{self.study}/series/{SERIES}": self.whole,
        }  # fmt: skip
        for file, head in zip(FILES, HEADS, strict=True):
            made.answers[f"{self.study}/series/{SERIES}/instances/{head.sop_uid}"] = self.one(file)

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.made.port}{self.study}?access_token={TOKEN}"

    def guarded(self, asked: Asked) -> bool:
        if asked.headers.get("Authorization") == BEARER:
            return True
        asked.give(401, b"")
        return False

    def json(self, asked: Asked, told: object) -> None:
        asked.give(200, json.dumps(told).encode(), "application/dicom+json")

    def search(self, asked: Asked) -> None:
        if self.guarded(asked):
            self.json(asked, [
                {
                    "0020000D": {"vr": "UI", "Value": [STUDY]}, "00201208": {"vr": "IS", "Value": [len(FILES)]},
                    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Muster^Max"}]},
                    "00100030": {"vr": "DA", "Value": ["19700101"]}, "00080061": {"vr": "CS", "Value": ["CT"]},
                }
            ])  # fmt: skip

    def instances(self, asked: Asked) -> None:
        if not self.lists:
            asked.give(404, b"")
            return
        start = int(parse_qs(urlsplit(asked.path).query)["offset"][0])
        told = [
            {"00080018": {"vr": "UI", "Value": [one.sop_uid]}, "0020000E": {"vr": "UI", "Value": [SERIES]}}
            for one in HEADS
        ]
        self.json(asked, told[start:])

    def whole(self, asked: Asked) -> None:
        if self.guarded(asked):
            asked.give(200, body(FILES), MULTIPART)

    def one(self, file: bytes) -> Answer:
        return lambda asked: asked.give(200, body([file]), MULTIPART)

    def instead(self, *answers: Answer) -> None:
        """Answer the retrieve of the study so, one time after the other, and then as it should be."""
        left = list(answers)

        def answer(asked: Asked) -> None:
            next_one = left.pop(0) if left else self.whole
            next_one(asked)

        self.made.answers[self.study] = answer


@pytest.fixture(scope="module")
def running() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def service(running: Portal) -> Service:
    running.answers.clear()
    running.asked.clear()
    return Service(running)


def errand(link: str, limits: Limits = PATIENT, attempts: AttemptsInMemory | None = None) -> DicomWebErrand:
    way = outgoing(limits=limits, allows=lambda host: host.startswith("127.0.0.1"))
    made = DicomWebConnector(way, attempts or AttemptsInMemory(), pause=waits_for_nothing)
    lead = made.recognise(link)
    assert lead is not None
    assert TOKEN not in repr(lead)
    return made.open(lead)


def fetched(link: str, limits: Limits = PATIENT) -> tuple[dict[str, bytes], int]:
    made = errand(link, limits)
    assert made.ask() == ()
    made.answer({})
    (item,) = made.items()
    kept = Kept()
    came = made.download(item, kept)
    assert (came.content, came.size, kept.begun) == ("zip", len(kept.bytes), 1)
    with zipfile.ZipFile(io.BytesIO(kept.bytes)) as archive:
        assert archive.testzip() is None
        return {one: archive.read(one) for one in archive.namelist()}, came.resumed


def test_a_study_comes_as_a_zip_of_what_was_stored(service: Service) -> None:
    made = errand(service.link)
    made.ask()
    (item,) = made.items()
    assert (item.study_uid, item.patient_name, str(item.birth_date), item.files) == (
        STUDY, "Muster^Max", "1970-01-01", len(FILES)
    )  # fmt: skip
    files, resumed = fetched(service.link)
    assert list(files.values()) == FILES
    assert resumed == 0
    found = gather(File(*one) for one in files.items())
    assert [one.study_uid for one in found.objects] == [STUDY] * len(FILES)
    assert any("transfer-syntax=*" in headers.get("Accept", "") for _, _, headers, _ in service.made.asked)


@pytest.mark.parametrize("lists", [True, False])
def test_what_broke_off_comes_once_and_whole(service: Service, *, lists: bool) -> None:
    service.lists = lists
    whole = body(FILES)

    def breaks_off(asked: Asked) -> None:
        asked.head(200, MULTIPART, len(whole))
        asked.wfile.write(whole[: len(whole) * 99 // 100])

    service.instead(breaks_off)
    files, resumed = fetched(service.link)
    assert sorted(files.values()) == sorted(FILES)
    assert resumed == 1
    assert len(files) == len(FILES)


def test_all_came_though_the_end_of_the_body_is_missing(service: Service) -> None:
    unended = body(FILES).removesuffix(b"--\r\n") + b"\r\n"  # one more part begins, and none comes
    service.instead(*[lambda asked: asked.give(200, unended, MULTIPART)] * 20)
    files, resumed = fetched(service.link)
    assert list(files.values()) == FILES
    assert resumed == 1
    assert [path.partition("?")[0] for _, path, _, _ in service.made.asked].count(service.study) == 1


def test_a_service_that_lists_nothing_is_asked_for_the_whole_again(service: Service) -> None:
    service.made.answers[f"{service.study}/instances"] = lambda asked: service.json(asked, [])
    whole = body(FILES)

    def breaks_off(asked: Asked) -> None:
        asked.head(200, MULTIPART, len(whole))
        asked.wfile.write(whole[: len(whole) * 99 // 100])

    service.instead(breaks_off)
    files, _ = fetched(service.link)
    assert sorted(files.values()) == sorted(FILES)


def test_what_a_service_left_out_is_asked_for(service: Service) -> None:
    service.instead(lambda asked: asked.give(200, body(FILES[:2]), MULTIPART))
    files, _ = fetched(service.link)
    assert list(files.values()) == FILES


def test_objects_sent_without_multipart_and_twice(service: Service) -> None:
    service.instead(lambda asked: asked.give(200, FILES[0], "application/dicom"))
    files, _ = fetched(service.link)
    assert list(files.values()) == FILES
    service.instead(lambda asked: asked.give(200, body([*FILES, *FILES]), MULTIPART))
    assert list(fetched(service.link)[0].values()) == FILES


def test_two_objects_of_one_number_both_stay_unless_they_are_the_same(service: Service) -> None:
    """Which of them is right is found out afterwards, and told; nothing of them is dropped on the way."""
    other = FILES[0][:-2] + b"\x01\x02"
    whole = body([*FILES, other, FILES[0]])

    def breaks_off(asked: Asked) -> None:
        asked.head(200, MULTIPART, len(whole))
        asked.wfile.write(whole[:-30])

    service.lists = False
    service.instead(breaks_off)
    files, resumed = fetched(service.link)
    assert (list(files.values()), resumed) == ([*FILES, other], 1)


@pytest.mark.parametrize("deflated", [False, True])
def test_objects_are_told_by_their_own_numbers(service: Service, *, deflated: bool) -> None:
    """Whoever wrote the files put one number into all of their meta information."""
    written = []
    for file in FILES:
        made, kept = dcmread(io.BytesIO(file)), io.BytesIO()
        made.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
        if deflated:
            made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        made.save_as(kept)
        written.append(kept.getvalue())
    service.instead(lambda asked: asked.give(200, body([*written, written[0]]), MULTIPART))
    files, _ = fetched(service.link)
    assert list(files.values()) == written


def quoted(files: list[bytes], boundary: str) -> bytes:
    """Return parts without any header of their own, with words before and behind them (RFC 2046 5.1.1)."""
    parts = b"".join(f"--{boundary}\r\n\r\n".encode() + one + b"\r\n" for one in files)
    return b"This is a message.\r\n" + parts + f"--{boundary}--\r\n".encode() + b"that is all\r\n"


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary="{}"', "a b:c=(1)?'x'"),
        ("multipart/related;boundary={};type=application/dicom", "----=_Part.7"),
        ('Multipart/Related; boundary="{}"; start="<1>"; type="application/dicom"; transfer-syntax=*', "x" * 70),
    ],
)  # fmt: skip
def test_parts_come_in_each_form_that_is_allowed(service: Service, kind: str, boundary: str) -> None:
    service.instead(lambda asked: asked.give(200, quoted(FILES, boundary), kind.format(boundary)))
    assert list(fetched(service.link)[0].values()) == FILES


def test_of_a_part_that_is_sent_the_rest_is_asked_for(service: Service) -> None:
    """A service that cannot read all of its objects says so (206, PS3.18 10.4.3)."""
    service.instead(lambda asked: asked.give(206, body(FILES[:2]), MULTIPART))
    assert list(fetched(service.link)[0].values()) == FILES
    lost = f"{service.study}/series/{SERIES}/instances/{HEADS[3].sop_uid}"
    service.instead(lambda asked: asked.give(206, body(FILES[:2]), MULTIPART))
    service.made.answers[lost] = lambda asked: asked.give(404, b"")
    assert list(fetched(service.link)[0].values()) == [*FILES[:3], FILES[4]]
    service.lists = False
    service.instead(*[lambda asked: asked.give(206, body(FILES[:2]), MULTIPART)] * 20)
    with pytest.raises(PortalBrokeOff):  # nobody can tell what is missing
        fetched(service.link)


@pytest.mark.parametrize("status", [406, 415])
def test_a_service_that_knows_no_star_is_asked_for_what_it_gives(service: Service, status: int) -> None:
    def answer(asked: Asked) -> None:
        if "transfer-syntax" in asked.headers["Accept"]:
            asked.give(status, b"")
        else:
            service.whole(asked)

    service.made.answers[service.study] = answer
    assert list(fetched(service.link)[0].values()) == FILES
    service.made.answers[service.study] = lambda asked: asked.give(status, b"")
    with pytest.raises(PortalRefused):
        fetched(service.link)


@pytest.mark.parametrize("status", [400, 405, 413, 501])
def test_a_service_that_gives_no_whole_study_is_asked_for_its_objects(service: Service, status: int) -> None:
    service.instead(*[lambda asked: asked.give(status, b"no")] * 20)
    assert list(fetched(service.link)[0].values()) == FILES
    service.lists = False
    with pytest.raises(PortalRefused):
        fetched(service.link)


def test_a_service_that_lists_few_at_once_is_asked_for_few(service: Service) -> None:
    """Some refuse pages of more than 200 instead of giving as many."""
    uids = [f"1.2.{number}" for number in range(350)]
    lists, instances = listing(uids, 200, offsets=True), service.made.answers[f"{service.study}/instances"]

    def few(answer: Answer) -> Answer:
        def refuses(asked: Asked) -> None:
            most = int(parse_qs(urlsplit(asked.path).query).get("limit", ["100"])[0])
            if most > 200:
                asked.give(400, b"limit")
            else:
                answer(asked)

        return refuses

    service.made.answers["/rs/studies"] = few(lists)
    made = errand(service.link.replace(f"/{STUDY}", ""))
    assert made.ask() == ()
    assert [one.id for one in made.items()] == uids
    service.made.answers["/rs/studies"] = few(service.search)
    service.made.answers[f"{service.study}/instances"] = few(instances)
    service.instead(lambda asked: asked.give(200, body(FILES[:2]), MULTIPART))
    assert list(fetched(service.link)[0].values()) == FILES


def test_an_empty_answer_is_an_empty_list(service: Service) -> None:
    def answering(status: int, content: bytes) -> Answer:
        return lambda asked: asked.give(status, content)

    for empty in (answering(204, b""), answering(200, b""), answering(200, b"[]"), answering(200, b"\xef\xbb\xbf[]")):
        service.made.answers["/rs/studies"] = empty
        made = errand(service.link.replace(f"/{STUDY}", ""))
        made.ask()
        with pytest.raises(NothingListed):
            made.items()
    service.made.answers["/rs/studies"] = service.search
    service.instead(*[lambda asked: asked.give(204, b"")] * 20)
    service.lists = False
    with pytest.raises(NothingListed):
        fetched(service.link)


def test_a_list_that_tells_little_and_a_partial_one_are_read(service: Service) -> None:
    name, nothing = {"Ideographic": "山田^太郎"}, {"vr": "DA", "Value": [None]}
    pixels = {"vr": "OW", "BulkDataURI": "x"}
    bare = [
        {
            "0020000D": {"vr": "UI", "Value": [STUDY]}, "00100010": {"vr": "PN", "Value": [name]},
            "00080061": {"vr": "CS"}, "7FE00010": pixels, "00100030": nothing,
        }
    ]  # fmt: skip
    service.made.answers["/rs/studies"] = lambda asked: asked.give(206, json.dumps(bare).encode(), "application/json")
    files, _ = fetched(service.link)
    assert list(files.values()) == FILES


def cut_off(asked: Asked) -> None:
    asked.head(200, MULTIPART, 100_000)
    asked.wfile.write(body(FILES)[:50])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda asked: asked.give(200, PAGE, "text/html"), PageForParcel),
        (lambda asked: asked.give(200, body([PAGE]), MULTIPART), PageForParcel),
        (lambda asked: asked.give(200, b"", MULTIPART), PortalBrokeOff),
        (lambda asked: asked.give(200, body([b"MZ" + bytes(5000)]), MULTIPART), WrongContent),
        (lambda asked: asked.give(200, b'{"error": "no"}', "application/json"), WrongContent),
        (lambda asked: asked.give(403, b""), LinkExpiredThere),
        (lambda asked: asked.give(404, b""), NotThere),
        (lambda asked: asked.give(302, b"", Location="https://10.0.0.1/x"), AddressRefused),
        (lambda asked: asked.give(302, b"", Location="http://portal.test/x"), PortalTrouble),
        (cut_off, PortalBrokeOff),
    ],
)  # fmt: skip
def test_each_way_of_failing_has_a_name_and_tells_no_secret(
    service: Service, answer: Answer, error: type[PortalTrouble]
) -> None:
    service.lists = False
    service.instead(*[answer] * 20)
    with pytest.raises(error) as caught:
        fetched(service.link)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.facts)
    assert TOKEN not in told
    assert STUDY not in told


def test_a_service_that_stalls_or_sends_too_much_ends(service: Service) -> None:
    service.lists = False

    def stalls(asked: Asked) -> None:
        asked.head(200, MULTIPART, 100_000)
        asked.wfile.write(body(FILES)[:50])
        asked.wfile.flush()
        asked.hang()

    service.instead(*[stalls] * 20)
    with pytest.raises(PortalStalled):
        fetched(service.link, HASTY)
    service.instead()
    with pytest.raises(ParcelTooLarge):
        fetched(service.link, Limits(most_bytes=len(FILES[0]) * 2))


def test_a_token_goes_to_the_host_of_the_link_alone(service: Service) -> None:
    with portal() as other:
        other.answers["/"] = lambda asked: asked.give(200, body(FILES), MULTIPART)
        service.instead(lambda asked: asked.give(307, b"", Location=f"http://127.0.0.1:{other.port}/"))
        files, _ = fetched(service.link)
        assert len(files) == len(FILES)
        assert TOKEN not in other.told()


def test_nothing_inside_the_house_is_asked(service: Service) -> None:
    way = outgoing(loopback=False)
    made = DicomWebConnector(way, AttemptsInMemory())
    lead = made.recognise(f"https://127.0.0.1:{service.made.port}/rs/studies/{STUDY}")
    assert lead is not None
    with pytest.raises(AddressRefused):
        made.open(lead).ask()
    assert not service.made.asked


def test_a_service_that_wants_a_token_asks_for_it_and_guesses_are_counted(service: Service) -> None:
    link, attempts = service.link.partition("?")[0], AttemptsInMemory()
    made = errand(link, attempts=attempts)
    (question,) = made.ask()
    assert (question.kind, question.form) == ("password", "text")
    with pytest.raises(AnswerUnusable):
        made.answer({question.id: " "})
    made.answer({question.id: BEARER})
    assert [one.id for one in made.items()] == [STUDY]
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(AnswerWrong) as caught:
            errand(link, attempts=attempts).answer({question.id: "wrong"})
        assert caught.value.facts["left"] == left
    before = len(service.made.asked)
    made = errand(link, attempts=attempts)
    made.ask()
    with pytest.raises(AttemptsSpent):
        made.answer({question.id: TOKEN})
    assert len(service.made.asked) == before + 1


def test_a_token_counts_that_is_answered_with_a_page(service: Service) -> None:
    link, attempts = service.link.partition("?")[0], AttemptsInMemory(1)
    made = errand(link, attempts=attempts)
    (question,) = made.ask()
    service.made.answers["/rs/studies"] = lambda asked: asked.give(200, PAGE, "text/html")
    with pytest.raises(PortalUnclear):
        made.answer({question.id: "guess"})
    with pytest.raises(AttemptsSpent):
        made.answer({question.id: TOKEN})


def test_a_token_that_has_ended(service: Service) -> None:
    with pytest.raises(LinkExpiredThere):
        errand(service.link.replace(TOKEN, "tok-old")).ask()


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: asked.give(200, PAGE, "text/html"),
        lambda asked: asked.give(404, b""),
        lambda asked: asked.give(200, b'{"tfaQuestion": []}', "application/json"),
    ],
)
def test_a_portal_of_another_language_is_unclear(service: Service, answer: Answer) -> None:
    service.made.answers = {"/rs/studies": answer}
    with pytest.raises(PortalUnclear):
        errand(service.link).ask()


def listing(uids: list[str], most: int, *, offsets: bool | None, warns: bool = False) -> Answer:
    """Return a search that gives so many at once; `offsets`: it knows of them, or not, or refuses them (none)."""

    def answer(asked: Asked) -> None:
        start = int(parse_qs(urlsplit(asked.path).query).get("offset", ["0"])[0])
        if start and offsets is None:
            asked.give(400, b"")
            return
        page = uids[start if offsets else 0 :][:most]
        body = json.dumps([{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in page]).encode()
        told = '299 x: "There are 9 additional results that can be requested"'
        asked.give(200, body, "application/dicom+json", **({"Warning": told} if warns else {}))

    return answer


@pytest.mark.parametrize(
    ("most", "offsets", "warns", "found", "lost"),
    [
        (100, True, False, 999, 1), (500, True, False, 999, 1), (5000, False, False, 999, 1),
        (5000, None, False, 999, 1), (500, False, False, 499, 2), (500, None, False, 499, 2),
        (300, None, True, 299, 2),
    ],
)  # fmt: skip
def test_a_long_list_is_read_to_its_end(
    service: Service, most: int, *, offsets: bool | None, warns: bool, found: int, lost: int
) -> None:
    """What has no usable number, and what a service that knows no offset keeps back, is told as missing."""
    uids = [f"1.2.{number}" for number in range(1000)]
    service.made.answers["/rs/studies"] = listing(["", *uids[1:]], most, offsets=offsets, warns=warns)
    made = errand(service.link.replace(f"/{STUDY}", ""))
    assert made.ask() == ()
    items = made.items()
    assert [one.id for one in items if one.reachable] == uids[1 : found + 1]
    assert sum(not one.reachable for one in items) == lost


def test_a_study_that_the_link_names_and_the_service_does_not_know_is_missing(service: Service) -> None:
    made = errand(f"http://127.0.0.1:{service.made.port}/rs/studies?StudyInstanceUID={STUDY},1.2.3&token={TOKEN}")
    assert made.ask() == ()
    assert [(one.study_uid, one.reachable) for one in made.items()] == [(STUDY, True), ("1.2.3", False)]


def test_a_list_that_breaks_off_or_comes_to_no_end_is_not_taken_for_all(service: Service) -> None:
    goes_on = listing([f"1.2.{number}" for number in range(5500)], 5000, offsets=True)
    service.made.answers["/rs/studies"] = goes_on
    made = errand(service.link.replace(f"/{STUDY}", ""))
    with pytest.raises(ParcelTooLarge):
        made.ask()
    status = 503

    def breaks_off(asked: Asked) -> None:
        if "offset" in asked.path:
            asked.give(status, b"")
        else:
            goes_on(asked)

    service.made.answers["/rs/studies"] = breaks_off
    with pytest.raises(PortalBusy):
        made.ask()
    status = 500
    with pytest.raises(PortalRefused):
        made.ask()


def test_an_empty_list(service: Service) -> None:
    service.made.answers["/rs/studies"] = lambda asked: asked.give(204, b"")
    made = errand(service.link)
    assert made.ask() == ()
    with pytest.raises(NothingListed):
        made.items()


def test_a_kheops_share_is_of_all_that_its_token_opens(running: Portal) -> None:
    running.answers.clear()
    service = Service(running, "/api")
    kheops = "B18jTXCzTrQzj1ZednqHUY"
    service.guarded = lambda asked: asked.headers.get("Authorization") == f"Bearer {kheops}"  # type: ignore[method-assign]
    files, _ = fetched(f"http://127.0.0.1:{running.port}/view/{kheops}")
    assert list(files.values()) == FILES
