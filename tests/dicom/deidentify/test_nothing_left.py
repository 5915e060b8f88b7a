"""No value of an identifying attribute of the source is anywhere in the result's bytes."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom.deidentify import Deidentified, Option
from radrelay.dicom.deidentify.identity import Identity
from radrelay.dicom.deidentify.profile_table import Row, profile
from radrelay.dicom.syntaxes import EXPLICIT_LE
from tests.dicom.deidentify.made import SR, a_study, encoded, outcome_of, project, read, result_of

ALPHABETS = {
    "ISO_IR 100": "abcdefghijklmnopqrstuvwxyzäöüßéèñç",
    "ISO_IR 101": "abcdefghijklmnopqrstuvwxyząčłńřžő",
    "ISO_IR 144": "абвгдежзийклмнопрстуфхцчшщэюя",
    "ISO_IR 126": "αβγδεζηθικλμνξοπρστυφχψω",
    "ISO_IR 192": "abcdefghijклмн山田太郎김희중äö",
    "GB18030": "abcdefgh王小东张李",
    "ISO_IR 166": "กขคงจฉชซฌญฎ",
    "ISO_IR 138": "אבגדהוזחטיכלמנ",
}
TEXT_VRS = ("LO", "SH", "PN", "LT", "ST", "UT", "UC")
IDENTIFYING = sorted(
    tag for tag, row in profile().items()
    if (row.vr == "PN" or (row.vr in TEXT_VRS and Option.CLEAN_DESCRIPTORS not in row.options)) and keyword_for_tag(tag)
)  # fmt: skip
KEPT_TEXTS = ("FilterType", "ConvolutionKernel", "SequenceName", "RescaleType", "WindowCenterWidthExplanation",
              "ReceiveCoilName", "ManufacturerModelName")  # fmt: skip
OPTIONS = [one for one in Option if one not in (Option.FULL_DATES, Option.UIDS, Option.DEVICE, Option.INSTITUTION)]


@st.composite
def words(draw: st.DrawFn, letters: str) -> str:
    chosen = [draw(st.sampled_from(letters)) for _ in range(draw(st.integers(6, 10)))]
    word = "".join(chosen)
    return word.capitalize() if draw(st.booleans()) else word


def put(data_set: Dataset, tag: int, row: Row, text: str) -> None:
    data_set.add_new(tag, row.vr, text)


def elsewhere(draw: st.DrawFn, data_set: Dataset, values: list[str]) -> None:
    """Repeat the values where they do not belong: texts that stay, private elements, sequences, other orders."""
    shuffled = list(values)
    random.Random(draw(st.integers(0, 99))).shuffle(shuffled)
    for keyword in draw(st.lists(st.sampled_from(KEPT_TEXTS), unique=True, max_size=3)):
        setattr(data_set, keyword, draw(st.sampled_from(values))[:16].upper())
    data_set.StudyDescription = " ".join(("CT", *shuffled))[:64]
    data_set.ImageComments = ", ".join(shuffled)
    safe = data_set.private_block(0x0043, "GEMS_PARM_01", create=True)
    safe.add_new(0x27, "SH", draw(st.sampled_from(values))[:16])
    hidden = data_set.private_block(0x0029, "SOMEBODY'S HEADER", create=True)
    hidden.add_new(0x10, "OB", " ".join(values).encode("utf-8"))
    hidden.add_new(0x11, "UN", " ".join(values).encode("utf-16-le"))
    inner = Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator = "X", "99HERE"
    inner.CodeMeaning = f"about {shuffled[0]}"[:64]
    data_set.AnatomicRegionSequence = Sequence([inner])
    note = Dataset()
    note.ValueType, note.RelationshipType, note.TextValue = "TEXT", "CONTAINS", "\n".join(shuffled)
    data_set.ContentSequence = Sequence([note])


@st.composite
def sources(draw: st.DrawFn) -> tuple[Dataset, dict[str, int], str]:
    charset = draw(st.sampled_from(sorted(ALPHABETS)))
    letters = ALPHABETS[charset]
    data_set = a_study(draw(st.sampled_from(("1.2.840.10008.5.1.4.1.1.2", SR))), SpecificCharacterSet=charset)
    values = [draw(words(letters)) for _ in range(2)]
    data_set.PatientName = "^".join(values)
    data_set.PatientID = values[0][:2] + str(draw(st.integers(10000, 10**9)))
    values.append(str(data_set.PatientID))
    tags = dict.fromkeys(values, 0x00100010)
    nested = Dataset()
    for tag in draw(st.lists(st.sampled_from(IDENTIFYING), unique=True, min_size=2, max_size=8)):
        if tag in (0x00100010, 0x00100020):
            continue
        value = draw(words(letters))
        put(data_set if draw(st.booleans()) else nested, tag, profile()[tag], value)
        values.append(value)
        tags.setdefault(value, tag)
    data_set.RequestAttributesSequence = Sequence([nested])
    data_set.ReferencedSeriesSequence = Sequence([nested])
    elsewhere(draw, data_set, values)
    return data_set, tags, charset


def bytes_of(value: str, charset: str) -> set[bytes]:
    from pydicom.charset import python_encoding  # noqa: PLC0415 - for this alone

    forms = {value, value.lower(), value.upper()}
    return {
        form.encode(encoding, "ignore")
        for form in forms
        for encoding in ("utf-8", "utf-16-le", python_encoding[charset])
    }


@settings(max_examples=30, deadline=None)
@given(sources(), st.sets(st.sampled_from(OPTIONS)))
def test_no_identifying_value_is_left_anywhere(
    source: tuple[Dataset, dict[str, int], str], options: set[Option]
) -> None:
    data_set, tags, charset = source
    chosen = frozenset(options)
    values = [value for value, tag in tags.items() if profile()[tag].action(chosen) != "K"]
    made = outcome_of(data_set, project(*options))
    assert isinstance(made, Deidentified)
    whole = made.file
    for value in values:
        for needle in bytes_of(value, charset):
            assert len(needle) < 4 or needle not in whole, (value, charset)
    for original in (str(data_set.SOPInstanceUID), str(data_set.StudyInstanceUID) + ".", "19540312", "PK-774411"):
        assert original.encode() not in whole
    again = read(made)
    assert again.PatientIdentityRemoved == "YES"
    assert again.SpecificCharacterSet == charset


def test_names_run_together_or_in_other_forms_are_found() -> None:
    source = a_study(PatientName="Yü^Jana", SpecificCharacterSet="ISO_IR 192", FilterType="janayu",
                     ConvolutionKernel="Ju\u0308", SequenceName="Yu\u0308Jana", ScanOptions="X")  # fmt: skip
    found = read(result_of(source, project()))
    assert (found.FilterType, found.SequenceName) == ("REMOVED", "REMOVED")


def test_letters_that_become_two_in_capitals_are_found() -> None:
    source = a_study(PatientName="Weißäcker^Jürgen", SpecificCharacterSet="ISO_IR 100", FilterType="WEISSÄCKER")
    assert read(result_of(source, project())).FilterType == "REMOVED"


def test_japanese_names_amid_other_letters_are_found() -> None:
    source = a_study(PatientName="Yamada^Tarou=山田^太郎", SpecificCharacterSet=["", "ISO 2022 IR 87"],
                     FilterType="新山田型", FrameComments="x")  # fmt: skip
    assert "山田" not in read(result_of(source, project())).FilterType


def test_values_under_a_wrong_representation_are_found() -> None:
    source = encoded(a_study(RescaleType="Quastenflosser"))
    at = source.index(b"LO\x0e\0Quasten")
    for vr, length in ((b"ZZ\0\0", b"\x0e\0\0\0"), (b"DS\x0e\0", b""), (b"OB\0\0", b"\x0e\0\0\0")):
        changed = source[:at] + vr + length + source[at + 4 :]
        made = result_of((changed, EXPLICIT_LE), project())
        assert b"Quasten" not in made.data_set, vr


def test_common_words_and_short_values_are_not_searched_for() -> None:
    identity = Identity()
    identity.add_name("Li^X^^Dr.=山田^太郎")
    identity.add_value("1")
    identity.add_value("UNKNOWN")
    identity.add_date("19000101")
    assert identity.found == {"山田", "太郎", "LiX", "XLi", "山田太郎", "太郎山田", "Li^X^^Dr.=山田^太郎"}
