"""Text in the character sets of PS3.3 C.12.1.1.2, against the standard's examples and real files."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from pydicom import dcmread

from radrelay.dicom.characters import DEFAULT, character_set, encode
from radrelay.dicom.header import Header, parse
from radrelay.dicom.part10 import parse_preamble

NAMES = {
    "chrArab.dcm": "قباني^لنزار",
    "chrFren.dcm": "Buc^Jérôme",
    "chrFrenMulti.dcm": "Buc^Jérôme",
    "chrGerm.dcm": "Äneas^Rüdiger",
    "chrGreek.dcm": "Διονυσιος",
    "chrH31.dcm": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32.dcm": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "chrHbrw.dcm": "שרון^דבורה",
    "chrI2.dcm": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrJapMulti.dcm": "やまだ^たろう",
    "chrJapMultiExplicitIR6.dcm": "やまだ^たろう",
    "chrKoreanMulti.dcm": "김희중",
    "chrRuss.dcm": "Люкceмбypг",
    "chrX1.dcm": "Wang^XiaoDong=王^小東",
    "chrX2.dcm": "Wang^XiaoDong=王^小东",
}


def read(path: Path) -> Header:
    data = path.read_bytes()
    head = parse_preamble(data)
    return parse(data[head.dataset_offset :], head.transfer_syntax_uid)


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(NAMES))
def test_names_of_the_charset_files(shared_data: Path, name: str) -> None:
    header = read(shared_data / "charset" / "pydicom-charset" / name)
    assert header.person_name(0x00100010) == NAMES[name]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["chrSQEncoding.dcm", "chrSQEncoding1.dcm"])
def test_items_have_their_own_character_set_or_the_one_around(shared_data: Path, name: str) -> None:
    item = read(shared_data / "charset" / "pydicom-charset" / name).items(0x00321064)[0]
    assert item.person_name(0x00100010) == "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"


@pytest.mark.shared
def test_every_text_of_the_charset_files_is_as_pydicom_reads_it(shared_data: Path) -> None:
    for path in sorted((shared_data / "charset").rglob("*.dcm")):
        header = read(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = dcmread(path)
            for element in theirs:
                if element.VR in ("PN", "LO", "SH") and not element.tag.is_private and element.value:
                    values = [element.value] if element.VM == 1 else element.value
                    if element.VR == "PN":
                        assert header.person_name(int(element.tag)) == str(values[0]).rstrip("^"), element.tag
                        continue
                    assert header.text(int(element.tag)) == "\\".join(values), element.tag


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        (("ISO_IR 100",), "Müller^Jörg ß"),
        (("ISO_IR 101",), "Łukasiewicz^Żaneta"),
        (("ISO_IR 126",), "Παπαδόπουλος^Γιώργος"),
        (("ISO_IR 127",), "قباني^لنزار"),
        (("ISO_IR 138",), "שרון^דבורה"),
        (("ISO_IR 144",), "Иванова^Мария"),
        (("ISO_IR 148",), "Çağlar^Şükrü"),
        (("ISO_IR 166",), "นามสกุล^ชื่อ"),
        (("ISO_IR 13",), "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        (("ISO_IR 192",), "王^小東=😀"),
        (("GB18030",), "王^小东"),
        (("GBK",), "王^小东"),
        (("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (("ISO 2022 IR 13", "ISO 2022 IR 87"), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (("", "ISO 2022 IR 87", "ISO 2022 IR 159"), "丂^太郎"),
        (("", "ISO 2022 IR 149"), "Hong^Gildong=洪^吉洞=홍^길동"),
        (("", "ISO 2022 IR 58"), "Zhang^XiaoDong=张^小东="),
        (("ISO 2022 IR 100", "ISO 2022 IR 144"), "Müller^Иванова^Jörg"),
    ],
)
def test_encoded_text_comes_back(terms: tuple[str, ...], text: str) -> None:
    charset = character_set("\\".join(terms).encode())
    assert charset.decode(encode(text, terms), name=True) == text


def test_second_byte_of_a_character_may_look_like_a_backslash() -> None:
    raw = "表".encode("iso2022_jp")  # in JIS X 0208; its GB18030 look-alikes hold 5C too
    assert character_set(b"\\ISO 2022 IR 87").decode(raw) == "表"
    gbk = b"\x81\x5c"
    assert character_set(b"GB18030").decode(gbk) == gbk.decode("gb18030") != "\ufffd"


@pytest.mark.parametrize(
    "term", ["ISO_IR 100", "ISO-IR 100", "iso_ir 100", "ISO IR 100", "ISO_IR_100", "ISO 2022 IR 100"]
)
def test_misspelt_terms_are_understood(term: str) -> None:
    assert character_set(term.encode()).decode(b"M\xfcller") == "Müller"


def test_undeclared_text_is_read_as_what_it_looks_like() -> None:
    assert DEFAULT.decode("Müller".encode()) == "Müller"
    assert DEFAULT.decode(b"M\xfcller") == "Müller"


def test_unknown_terms_are_named_and_bad_bytes_replaced() -> None:
    assert character_set(b"ISO_IR 999").unknown == ("ISO_IR 999",)
    assert character_set(b"ISO_IR 192").decode(b"M\xfcller") == "M\ufffdller"
    assert character_set(b"\\ISO 2022 IR 87").decode(b"\x1b$B\x21\x1b(Bx").endswith("x")
