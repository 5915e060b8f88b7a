"""Reports and pictures beside a study become objects of it, always the same ones, and of nobody else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from radrelay.dicom.encapsulate import NotADocument, StudyContext
from radrelay.importer.arrived import ArrivedObject, Person
from radrelay.importer.paper_places import PaperPlaces, Place
from radrelay.importer.papers import kind_of, paper_files
from radrelay.importer.parting import part
from radrelay.importer.promises import plain_path
from radrelay.importer.xdm import XdmDocument
from tests.importer.test_matching import ANNA, BERND

PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
STUDY = StudyContext("1.2.3", "Müller^Änne", "4711", "KH", date(1970, 2, 3), "F", date(2026, 1, 2), accession="A1")


def picture(*sizes: tuple[int, int]) -> bytes:
    pages = [Image.new("L", size, 90) for size in sizes]
    out = io.BytesIO()
    pages[0].save(
        out,
        "TIFF" if len(pages) > 1 else "PNG",
        **({"save_all": True, "append_images": pages[1:]} if pages[1:] else {}),
    )
    return out.getvalue()


def read(file: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(file))


def test_papers_come_into_a_series_of_their_own_and_are_the_same_each_time() -> None:
    (report,), (other,) = paper_files("a/Befund 2.pdf", PDF, STUDY), paper_files("Befund3.pdf", PDF + b"%", STUDY)
    (scan,) = paper_files("b/scan_0012.png", picture((8, 4)), STUDY)
    made = [read(one) for one in (report, other, scan)]
    assert {one.StudyInstanceUID for one in made} == {"1.2.3"}
    assert {(str(one.PatientName), one.PatientID, one.AccessionNumber) for one in made} == {
        ("Müller^Änne", "4711", "A1")
    }
    assert made[0].SeriesInstanceUID == made[1].SeriesInstanceUID != made[2].SeriesInstanceUID
    assert len({one.SOPInstanceUID for one in made}) == 3
    assert [(one.Modality, one.InstanceNumber) for one in made] == [("DOC", 2), ("DOC", 3), ("OT", 12)]
    assert made[0].EncapsulatedDocument.startswith(PDF)
    assert (made[0].ContentDate, made[0].DocumentTitle) == ("20260102", "Befund 2.pdf")
    assert paper_files("elsewhere/Befund 2.pdf", PDF, STUDY) == [report]
    assert read(paper_files("renamed.pdf", PDF, STUDY)[0]).SOPInstanceUID == made[0].SOPInstanceUID
    assert paper_files("b/scan_0012.png", picture((8, 4)), STUDY) == [scan]


def test_pages_of_several_sizes_are_the_same_objects_each_time() -> None:
    pages = picture((8, 4), (6, 6), (8, 4))
    first = paper_files("fax.tif", pages, STUDY)
    assert len({read(one).SOPInstanceUID for one in first}) == 3
    assert paper_files("fax.tif", pages, STUDY) == first


@pytest.mark.parametrize("content", [b"MZ\x90", b"plain words", b"<html>", b""])
def test_other_files_are_not_made_into_objects(content: bytes) -> None:
    assert kind_of("report.pdf", content) is None
    with pytest.raises(NotADocument):
        paper_files("report.pdf", content, STUDY)


WORDS = "Befund: Kein Nachweis.\r\nGröße 4,2 × 3 cm, 37 °C – „unauffällig“"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_plain_text_becomes_a_report_word_by_word(charset: str, ends: str) -> None:
    content = (WORDS.replace("\r\n", ends) + ends).encode(charset)
    (file,) = paper_files("CD/Befund.TXT", content, STUDY)
    made = read(file)
    (text,) = made.ContentSequence
    assert (text.TextValue, made.Modality, made.SeriesNumber) == (WORDS, "SR", 9102)
    assert (str(made.PatientName), made.StudyInstanceUID, made.SeriesDescription) == (
        "Müller^Änne",
        "1.2.3",
        "Befund.TXT",
    )
    assert "PreliminaryFlag" not in made, "nobody says whether it is the last word"
    assert read(paper_files("b.txt", content, STUDY)[0]).SOPInstanceUID == made.SOPInstanceUID


@pytest.mark.parametrize(
    "content",
    [
        "Заключение: норма".encode("cp1251"),
        "所見なし".encode("shift_jis"),
        "Πόρισμα".encode("cp1253"),
        "Keine Läsion.".encode("cp850"),
        "Sans résumé.".encode("cp850"),
        "Pacjentka była badana.".encode("cp1250"),
        "Normal sınırlar.".encode("cp1254"),
        "Eine große Zyste.".encode("mac_roman"),
        "Größe: 4 cm".encode("mac_roman"),
        b" \r\n",
        b"a\x00b",
    ],
)
def test_a_text_of_which_nobody_says_how_it_is_written_stays_as_it_is(content: bytes) -> None:
    with pytest.raises(NotADocument):
        paper_files("report.txt", content, STUDY)


def came(person: Person, study: str, file: str) -> ArrivedObject:
    return ArrivedObject(file, file, "1", f"{study}.0", study, person, study_date=date(2020, 1, int(study[-1])))


def placed(
    path: str, *objects: ArrivedObject, documents: Iterator[XdmDocument] | tuple[XdmDocument, ...] = ()
) -> Place:
    return PaperPlaces(part(objects), [("IHE_XDM/S1", one) for one in documents]).of(path)


def test_a_paper_goes_where_it_lies_and_to_nobody_where_that_is_open() -> None:
    anna1, anna2, bernd = came(ANNA, "1.1", "A/1/x"), came(ANNA, "1.2", "A/2/x"), came(BERND, "2.3", "B/x")
    assert placed("A/1/report.pdf", anna1, anna2) == Place(0, "1.1")
    assert placed("report.pdf", anna1, anna2) == Place(0, "1.2")  # the latest
    assert placed("A/report.pdf", anna1, anna2, bernd) == Place(0, "1.2")
    assert placed("B/report.pdf", anna1, anna2, bernd) == Place(1, "2.3")
    assert placed("report.pdf", anna1, bernd) == Place(why="several-people")
    assert placed("C/report.pdf", anna1, bernd) == Place(why="several-people")
    assert placed("report.pdf") == Place(why="nobody")


def test_whom_the_metadata_name_counts() -> None:
    anna, bernd = came(ANNA, "1.1", "A/x"), came(BERND, "2.3", "B/x")
    document = XdmDocument("DOC.PDF", person=BERND)
    path = "CD/IHE_XDM/S1/doc.pdf"
    assert placed(path, anna, bernd, documents=(document,)) == Place(1, "2.3")
    assert placed(path, anna, documents=(document,)) == Place(why="named-otherwise")
    assert placed(path, anna, documents=(replace(document, person=replace(ANNA, name="MUELLER^ANNA")),)) == Place(
        0, "1.1"
    )
    assert placed("other.pdf", anna, documents=(document,)) == Place(0, "1.1")


def as_defined(path: str, files: list[tuple[int, str]]) -> int | None:
    """Return the only key among the files of the nearest folder that has any, the slow way."""
    folder = plain_path(path)
    while folder:
        folder = folder.rpartition("/")[0]
        keys = {key for key, file in files if not folder or plain_path(file).startswith(f"{folder}/")}
        if keys:
            return keys.pop() if len(keys) == 1 else None
    return None


FOLDERS = st.lists(st.sampled_from(["a", "A", "a.", "a0", "a b", "ä", "..", "b;1", "c-"]), max_size=4)


@given(st.lists(st.tuples(st.integers(0, 2), FOLDERS), min_size=1, max_size=12), FOLDERS)
def test_the_nearest_folder_is_found_among_thousands_as_it_would_be_by_looking_at_each(
    placed_files: list[tuple[int, list[str]]], folders: list[str]
) -> None:
    people = (ANNA, BERND, replace(BERND, name="Chu^Li", patient_id="7"))
    files = [(key, "/".join([*some, f"x{at}"])) for at, (key, some) in enumerate(placed_files)]
    path = "/".join([*folders, "report.pdf"])
    arrived = part([came(people[key], f"1.{key + 1}", file) for key, file in files])
    found = PaperPlaces(arrived).of(path)
    if len(arrived) == 1:
        assert found.person == 0
        return
    numbers = {one.person: at for at, one in enumerate(arrived)}
    expected = as_defined(path, [(numbers[people[key]], file) for key, file in files])
    assert found.person == expected


def test_metadata_that_name_thousands_of_people_keep_nobody_waiting_and_guess_nothing() -> None:
    many = [replace(ANNA, name=f"Meier{number}^Anna", patient_id=str(number)) for number in range(3000)]
    documents = [("IHE_XDM/S1", XdmDocument("DOC.PDF", person=one)) for one in many]
    places = PaperPlaces(part([came(ANNA, "1.1", "A/x"), came(BERND, "2.3", "B/x")]), documents)
    assert places.of("CD/IHE_XDM/S1/doc.pdf") == Place(why="several-people")
    assert places.of("B/other.pdf") == Place(1, "2.3")
