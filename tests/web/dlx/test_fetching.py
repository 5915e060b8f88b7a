"""Studies as importers take them away: whole, from where a transfer broke off, and into another house."""

from __future__ import annotations

import io
import socket
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest

from radrelay.dicom.disc_directory import read_directory
from radrelay.importer import hosts
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.findings import of_parcel
from radrelay.importer.gathering import gather
from radrelay.importer.promises import of_list
from radrelay.importer.xdm import read_xdm
from tests.importer.house import ImportHouse, open_house
from tests.importer.portal import Asked, Kept, portal
from tests.importer.test_gathering import File, Item
from tests.importer.test_papers import PDF
from tests.web.dlx.conftest import PIN, Program, Provider, reaching

PATIENT = {"name": "Iwanowa^Maria", "birth_date": "19781224", "sex": "F"}


@pytest.fixture(scope="module")
def program(provider: Provider) -> Program:
    made = Program(provider, provider.link(protection="pin", pin=PIN))
    assert made.answer(PIN) == 200
    return made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("importing")) as found:
        yield found


def whole(program: Program) -> Any:
    [item] = program.items()
    answer = program.get(f"download/{item['id']}")
    assert answer.status_code == 200, answer.text
    return answer


def test_a_study_is_a_medium_with_its_directory_and_metadata_and_its_report(
    provider: Provider, program: Program
) -> None:
    [item] = program.items()
    answer = whole(program)
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as disc:
        assert disc.testzip() is None
        names = disc.namelist()
        assert (len(names), item["fileCount"]) == (10, 10)
        elsewhere = gather(File(f"1.zip/{one}", disc.read(one)) for one in names)
        objects = [one for one in names if one.startswith("DICOM/")]
        assert {one.path for one in read_directory(disc.read("DICOMDIR"))} == set(objects)
        documents = {one.path: one for one in read_xdm(disc.read("IHE_XDM/SUBSET01/METADATA.XML"))}
        report = documents["REPORT01.PDF"]
        assert disc.read("IHE_XDM/SUBSET01/REPORT01.PDF") == PDF
        pixels = {bytes(pydicom.dcmread(io.BytesIO(one)).PixelData) for one in provider.images}
        came = [pydicom.dcmread(disc.open(one)) for one in objects]
    listed = Item(str(came[0].StudyInstanceUID), item["fileCount"])
    found = of_parcel(elsewhere.parcel(of_list([listed])))
    assert {one.facts["by"] for one in found if one.code == "complete"} == {"list", "dicomdir", "xdm"}
    assert {one.level for one in found} == {"passed"}
    assert {bytes(one.PixelData) for one in came if "PixelData" in one} == pixels
    assert (report.media_type, report.title, report.size) == ("application/pdf", "Befund", len(PDF))
    assert report.person.birth_date is not None
    assert report.person.birth_date.isoformat() == provider.born
    assert documents["../../DICOMDIR"].media_type == "application/dicom"
    everything = program.get("downloadall")
    assert len(zipfile.ZipFile(io.BytesIO(everything.content)).namelist()) == 10


def test_any_part_can_be_had_as_long_as_nothing_changes(provider: Provider, program: Program) -> None:
    [item] = program.items()
    answer = whole(program)
    content, tag = answer.content, answer.headers["etag"]
    size, places = len(content), [0, 1, len(content) // 2, len(content) - 40, len(content) - 1]
    with zipfile.ZipFile(io.BytesIO(content)) as disc:
        places += [disc.infolist()[2].header_offset, disc.infolist()[2].header_offset - 1, disc.start_dir]
    for at in places:
        part = program.get(f"download/{item['id']}", Range=f"bytes={at}-", **{"If-Range": tag})
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {at}-{size - 1}/{size}")
        assert part.content == content[at:], at
    assert program.get(f"download/{item['id']}", Range="bytes=5-9").content == content[5:10]
    assert program.get(f"download/{item['id']}", Range=f"bytes={size}-").status_code == 416
    other = program.get(f"download/{item['id']}", Range="bytes=5-", **{"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, content)
    assert whole(Program(provider, program.made, ticket=program.ticket)).headers["etag"] == tag


def test_a_link_to_a_series_hands_out_that_series(provider: Provider) -> None:
    study = provider.anna.http.get(f"/api/studies/{provider.study['id']}").json()
    report = next(one for one in study["series"] if one["modality"] == "DOC")
    part = Program(provider, provider.link(studies=[], series=[report["id"]]))
    assert part.answer(str(provider.study["study_date"])) == 200
    [item] = part.items()
    assert (item["modalities"], item["fileCount"]) == (["DOC"], 6)
    names = zipfile.ZipFile(io.BytesIO(whole(part).content)).namelist()
    assert len([one for one in names if one[:6] == "DICOM/"]) == 1


def test_a_transfer_that_breaks_off_at_half_goes_on_there(provider: Provider) -> None:
    made = provider.link(protection="birth-date")
    broken: list[str] = []

    def relay(asked: Asked) -> None:
        """Hand on what the provider answers; the first download breaks off at half."""
        headers = {name: value for name, value in asked.headers.items() if name != "Connection"}
        request = urllib.request.Request(provider.base + asked.path, asked.body or None, headers, method=asked.command)
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
            told = {name: value for name, value in answer.headers.items() if name in ("etag", "content-range")}
            length = len(body)
            if "/download/" in asked.path:
                broken.append(asked.headers.get("Range", ""))
                body = body[: length // 2] if len(broken) == 1 else body
            asked.head(answer.status, answer.headers["Content-Type"], length, **told)
            asked.wfile.write(body)
            asked.connection.shutdown(socket.SHUT_WR)

    with portal() as between:
        for path in (f"token/{made['token']}", f"tokentfa/{made['token']}", "list"):
            between.answers[f"/dlx/v1/{path}"] = relay
        between.answers[f"/dlx/v1/download/{provider.study['id'].replace('-', '')}"] = relay
        known = DlxConnector(reaching(), AttemptsInMemory(), pause=lambda seconds: None)
        lead = known.recognise(f"http://127.0.0.1:{between.port}/dlx/v1/token/{made['token']}")
        assert lead is not None
        errand = known.open(lead)
        [question] = errand.ask()
        errand.answer({question.id: provider.born})
        sink = Kept()
        came = errand.download(errand.items()[0], sink)
    assert (came.resumed, sink.begun) == (1, 1)
    assert broken == ["", f"bytes={came.size // 2}-"]
    assert zipfile.ZipFile(io.BytesIO(sink.bytes)).testzip() is None


@pytest.mark.parametrize("form", ["exchange", "health", "paper"])
def test_another_house_imports_a_study_by_its_link_bit_by_bit(
    provider: Provider, house: ImportHouse, form: str
) -> None:
    made = provider.link(protection="birth-date")
    link = made["address"] if form == "paper" else made[form]  # what is for browsers leads importers there, too
    with house.site.database.write() as session:
        host = provider.base.removeprefix("http://")
        at = house.site.clock.now()
        hosts.decide(session, house.site.organisation_id, host, confirm=True, by="root", now=at)
    case_id = house.begin(provider.born, link)
    found = house.turn(case_id)
    if form == "health":
        assert found["state"] == "asking", found
        [question] = found["questions"]
        house.post(f"/{case_id}/answers", {"answers": {question["id"]: provider.born}}, expect=202)
        found = house.turn(case_id)
    assert found["state"] == "open", found["error"]
    [person] = found["persons"]
    assert (person["person"]["birth_date"], person["studies"][0]["objects"]) == (provider.born, 5)
    stops = [one for one in (*found["findings"], *person["findings"]) if one["level"] == "stop"]
    assert stops == []
    if form != "exchange":
        return
    house.choose(case_id, PATIENT | {"birth_date": provider.born.replace("-", "")})
    house.confirm_all(case_id)
    filed = house.file(case_id)
    assert filed["state"] == "filed", filed
    sent = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, map(io.BytesIO, provider.images))}
    came = [house.root.http.get(f"/api/instances/{one.id}/file").content for one in house.instances()]
    files = [pydicom.dcmread(io.BytesIO(one)) for one in came]
    assert {one.SOPInstanceUID for one in files} > set(sent)
    for one in files:
        if one.SOPInstanceUID in sent:
            assert bytes(one.PixelData) == bytes(sent[one.SOPInstanceUID].PixelData)
    assert len([one for one in files if one.Modality == "DOC"]) == 1, "a report comes as an object, and not twice"
