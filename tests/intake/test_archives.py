"""Archives: what is good in them is kept, what is bad is named, nothing is lost in silence, memory stays bounded."""

from __future__ import annotations

import io
import resource
import stat
import struct
import uuid
import zipfile
import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radrelay.archive.models import Attachment, Instance, Study
from radrelay.intake.errors import ArchiveRefused
from radrelay.intake.models import ParcelItem
from radrelay.intake.scratch import MemorySource, ScratchSource
from radrelay.intake.unpack import cleaned_name
from radrelay.intake.unpacking import ArchiveUnpacker
from radrelay.intake.zip_members import METHODS, list_members, read_member
from radrelay.storage.models import Erasure, LandingRecord
from radrelay.storage.outbox import open_events
from tests.intake.conftest import MakeSite, Site
from tests.intake.samples import ct_file, zipped

TWO = (("a.dcm", ct_file("1.2.1")), ("b.dcm", ct_file("1.2.2")))


def test_a_zip_becomes_its_studies_and_attachments(site: Site) -> None:
    parcel = site.take(("cd.zip", zipped(*TWO, ("report.pdf", b"%PDF-1.7\n%%EOF"), ("note.txt", "Grüße".encode()))))
    assert (parcel.state, parcel.objects, parcel.attachments, parcel.refused) == ("done", 2, 2, 0)
    assert parcel.bytes_received > 0
    with site.database.read() as session:
        kinds = set(session.scalars(sa.select(Attachment.file_type)))
        study = session.scalar(sa.select(Study.id))
        assert set(session.scalars(sa.select(Attachment.study_id))) == {study}
    assert kinds == {"application/pdf", "text/plain"}
    assert parcel.study_ids == (study,)


def test_the_raw_archive_is_given_free_once_it_is_unpacked(site: Site) -> None:
    site.take(("cd.zip", zipped(*TWO)))
    with site.database.read() as session:
        erased = set(session.scalars(sa.select(Erasure.id)))
        needed = set(session.scalars(sa.select(Instance.record_id)))
        rows = set(session.scalars(sa.select(LandingRecord.id)))
    assert erased == rows - needed
    assert len(erased) == 1


def test_attachments_of_two_studies_belong_to_neither(site: Site) -> None:
    import pydicom  # noqa: PLC0415 — only this test changes a study

    other = pydicom.dcmread(io.BytesIO(ct_file("1.2.9")))
    other.StudyInstanceUID, other.SeriesInstanceUID = "1.9", "1.9.1"
    out = io.BytesIO()
    other.save_as(out)
    parcel = site.take(("cd.zip", zipped(TWO[0], ("c.dcm", out.getvalue()), ("report.pdf", b"%PDF-1.7"))))
    assert len(parcel.study_ids) == 2
    with site.database.read() as session:
        assert session.scalars(sa.select(Attachment.study_id)).all() == [None]


def test_unpacking_again_after_a_crash_adds_nothing(site: Site) -> None:
    origin = site.parcel()
    site.landing().land_file(origin, "cd.zip", iter([zipped(*TWO, ("x.pdf", b"%PDF-1.7"), ("v.exe", b"MZ"))]))
    site.parcels.seal(site.landing(), origin)
    site.index()
    with site.database.read() as session:
        record = uuid.UUID(open_events(session, ["parcel.landed"])[0].payload["record_id"])
    unpacker = ArchiveUnpacker(site.database, site.reader, site.landing("work"))
    first = unpacker.unpack(record)
    again = unpacker.unpack(record)  # the first attempt's end was not seen yet
    assert first.files == again.files == 4
    site.index()
    assert unpacker.unpack(record).files == 0
    assert origin.parcel_id is not None
    parcel = site.parcels.get(site.organisation_id, origin.parcel_id)
    assert (parcel.state, parcel.objects, parcel.duplicates, parcel.attachments, parcel.refused) == ("done", 2, 0, 1, 1)
    assert site.rows(ParcelItem) == 4


def test_a_crash_in_the_middle_of_unpacking_is_made_good(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = site.parcel()
    site.landing().land_file(origin, "cd.zip", iter([zipped(*TWO)]))
    site.parcels.seal(site.landing(), origin)
    site.index()
    with site.database.read() as session:
        record = uuid.UUID(open_events(session, ["parcel.landed"])[0].payload["record_id"])
    work = site.landing("work")

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(work, "end", killed)
        with pytest.raises(KilledError):
            ArchiveUnpacker(site.database, site.reader, work).unpack(record)
    site.parcels.seal(site.landing(), origin)
    site.index()
    assert origin.parcel_id is not None
    assert site.parcels.get(site.organisation_id, origin.parcel_id).state != "done"
    ArchiveUnpacker(site.database, site.reader, work).unpack(record)
    site.index()
    parcel = site.parcels.get(site.organisation_id, origin.parcel_id)
    assert (parcel.state, parcel.objects, parcel.duplicates) == ("done", 2, 0)


def test_nested_archives_are_opened_down_to_the_limit(make_site: MakeSite) -> None:
    site = make_site({"max_depth": 3})
    inner = zipped(("deep.dcm", ct_file("1.2.1")))
    third = zipped(("third.zip", inner), ("third.dcm", ct_file("1.2.2")))
    fourth = zipped(("second.zip", third), ("second.dcm", ct_file("1.2.3")))
    parcel = site.take(("first.zip", zipped(("x/inner.zip", fourth), ("first.dcm", ct_file("1.2.4")))))
    assert parcel.objects == 3
    assert site.findings(parcel) == {"x/inner.zip/second.zip/third.zip": "depth-limit"}
    assert not list((site.settings.data_dir / "scratch").iterdir())


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_entries": 1}, "archive-limit"), ({"max_inflated_bytes": 60_000}, "archive-limit")],
)
def test_a_limit_on_the_whole_archive_is_named(make_site: MakeSite, limits: dict[str, object], code: str) -> None:
    site = make_site(limits)
    parcel = site.take(("cd.zip", zipped(*TWO)))
    found = site.parcels.findings(site.organisation_id, parcel.id)
    assert [finding.code for finding in found] == [code]
    assert f"intake.{next(iter(limits))}" in found[0].text
    assert parcel.objects == (1 if "max_inflated_bytes" in limits else 0)


def test_a_member_that_lies_about_its_size_is_stopped_where_it_grows(make_site: MakeSite) -> None:
    site = make_site({"max_inflated_bytes": 30 << 20})
    bomb = bytearray(zipped(("bomb.dcm", bytes(64 << 20)), ("good.dcm", ct_file("1.2.1"))))
    real = struct.pack("<L", 64 << 20)
    for at in (bomb.find(real), bomb.rfind(real)):
        bomb[at : at + 4] = struct.pack("<L", 1000)
    parcel = site.take(("cd.zip", bytes(bomb)))
    assert site.findings(parcel) == {"bomb.dcm": "damaged"}
    assert (parcel.objects, parcel.refused) == (1, 1)


def test_a_member_of_unknown_size_is_stopped_by_the_ratio(site: Site) -> None:
    bomb = bytearray(zipped(("bomb.dcm", bytes(64 << 20))))
    bomb[6] |= 0x08  # its sizes follow the data, and the directory that knows them is cut off
    bomb[18:26] = bytes(8)
    parcel = site.take(("cd.zip", bytes(bomb[:-30])))
    assert "ratio-limit" in site.findings(parcel).values()


def test_names_are_words_and_never_paths(site: Site) -> None:
    names = [
        "../../etc/passwd.dcm",
        "/abs.dcm",
        "C:\\win\\x.dcm",
        "..\\..\\y.dcm",
        "NUL.dcm",
        "a/./b//c.dcm",
        "\u202egpj.dcm",
    ]
    files = [(name, ct_file(f"1.2.{number + 1}")) for number, name in enumerate(names)]
    parcel = site.take(("cd.zip", zipped(*files)))
    assert (parcel.objects, parcel.refused) == (7, 0)
    assert set(site.findings(parcel).values()) == {"unsafe-name"}
    with site.database.read() as session:
        kept = set(session.scalars(sa.select(Instance.file_name)))
    assert kept == {"etc/passwd.dcm", "abs.dcm", "win/x.dcm", "y.dcm", "_NUL.dcm", "a/b/c.dcm", "\ufffdgpj.dcm"}


@pytest.mark.parametrize("encoding", ["cp437", "utf-8"])
def test_umlauts_in_names_are_read_however_they_are_written(site: Site, encoding: str) -> None:
    raw = "Müller/Größe.dcm".encode(encoding)
    plain = zipped(("M#ller/Gr##e.dcm" if encoding == "cp437" else "M##ller/Gr####e.dcm", ct_file("1.2.1")))
    marked = plain.replace(b"M#ller/Gr##e.dcm" if encoding == "cp437" else b"M##ller/Gr####e.dcm", raw)
    site.take(("cd.zip", marked))
    with site.database.read() as session:
        assert session.scalar(sa.select(Instance.file_name)) == "Müller/Größe.dcm"


def test_bad_members_do_not_cost_their_neighbours(site: Site) -> None:
    archive = bytearray(zipped(*TWO, ("c.dcm", ct_file("1.2.3")), method=zipfile.ZIP_STORED))
    archive[5000] ^= 0xFF
    parcel = site.take(("cd.zip", bytes(archive)))
    assert parcel.objects == 2
    assert site.findings(parcel) == {"a.dcm": "damaged"}


def test_an_archive_cut_off_in_its_second_half_gives_its_first(site: Site) -> None:
    archive = zipped(*TWO, method=zipfile.ZIP_STORED)
    parcel = site.take(("cd.zip", archive[: len(archive) * 2 // 3]))
    assert parcel.objects == 1
    assert set(site.findings(parcel).values()) == {"archive-refused", "damaged"}


def test_a_symbolic_link_is_never_followed(site: Site) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.dcm")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.dcm", ct_file("1.2.1"))
    parcel = site.take(("cd.zip", out.getvalue()))
    assert parcel.objects == 1
    assert site.findings(parcel) == {"link.dcm": "link"}


def test_every_made_archive_ends_as_it_should(site: Site, shared_data: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    expected = {
        "bad-crc.zip": ("failed", {"damaged"}),
        "bomb-flat-1GiB.zip": ("failed", {"ratio-limit"}),
        "bomb-nested.zip": ("failed", {"ratio-limit"}),
        "empty.zip": ("failed", {"empty"}),
        "encrypted-flag.zip": ("failed", {"encrypted"}),
        "patient-cd-upload.zip": ("done", {"program", "system-file", "web-page", "not-dicom"}),
        "truncated.zip": ("failed", {"archive-refused", "ratio-limit"}),
        "two-patients-mixed.zip": ("done", set()),
        "zipslip.zip": ("done", {"unsafe-name", "link"}),
    }
    for path in sorted((shared_data / "archives" / "made").iterdir()):
        parcel = site.take((path.name, path.read_bytes()), name=path.name)
        codes = set(site.findings(parcel).values())
        assert (parcel.state, codes) == expected.get(path.name, (parcel.state, codes)), path.name
        assert parcel.error or parcel.state == "done"
        counted = parcel.objects + parcel.duplicates + parcel.attachments + parcel.quarantined + parcel.refused
        assert parcel.files - 1 == counted, path.name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_a_patient_cd_keeps_its_images_and_letters(site: Site, shared_data: Path) -> None:
    archive = shared_data / "archives" / "made" / "patient-cd-upload.zip"
    parcel = site.take((archive.name, archive.read_bytes()))
    assert (parcel.objects, parcel.duplicates, parcel.attachments) == (9, 1, 3)
    with site.database.read() as session:
        names = set(session.scalars(sa.select(Instance.file_name)))
    assert "CD Müller/mit leer zeichen & sonder#zeichen.DCM" in names


def counted_as(whole: bytes, said: int) -> bytes:
    """Return an archive whose end says that it has so many entries."""
    raw = bytearray(whole)
    struct.pack_into("<HH", raw, raw.rfind(b"PK\5\6") + 8, said, said)
    return bytes(raw)


@pytest.mark.parametrize("said", [0, 1, 4, 6, 0xFFFF])
def test_a_directory_is_read_to_its_end_whatever_the_number_beside_it_says(said: int) -> None:
    """The number has 16 bits: above 65,535 files it wraps where a zipper knows no ZIP64."""
    whole = zipped(*((f"{number}.dcm", b"x" * number) for number in range(5)))
    listing = list_members(MemorySource(counted_as(whole, said)))
    assert [member.name for member in listing.members] == [f"{number}.dcm" for number in range(5)]
    assert f"says that it has {said} files" in listing.damage
    assert list_members(MemorySource(counted_as(whole, 5))).damage == ""


def test_a_wrapped_number_costs_no_file_and_is_told(site: Site) -> None:
    parcel = site.take(("cd.zip", counted_as(zipped(*TWO, ("c.dcm", ct_file("1.2.3"))), 1)))
    assert (parcel.objects, set(site.findings(parcel).values())) == (3, {"archive-refused"})


def test_a_directory_that_breaks_off_costs_no_file() -> None:
    whole = bytearray(zipped(*((f"{number}.dcm", b"x" * number) for number in range(20))))
    second = whole.index(b"PK\1\2", whole.index(b"PK\1\2") + 4)
    whole[second] = 0
    listing = list_members(MemorySource(bytes(whole)))
    assert len(list(listing.members)) == 20
    assert "breaks off after 1 of 20" in listing.damage


def test_a_false_number_does_not_let_files_overlap() -> None:
    whole = zipped(("a", bytes(range(256)) * 40), method=zipfile.ZIP_STORED)
    at = whole.index(b"PK\1\2")
    entry, end = whole[at : whole.index(b"PK\5\6")], bytearray(whole[whole.index(b"PK\5\6") :])
    struct.pack_into("<HHL", end, 8, 1, 1, len(entry) * 9)
    with pytest.raises(ArchiveRefused, match="overlap"):
        list(list_members(MemorySource(whole[:at] + entry * 9 + bytes(end))).members)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_an_archive_is_an_error_with_a_name(data: st.DataObject) -> None:
    whole = bytearray(zipped(("a", b"x" * 500), ("b/c", bytes(range(256)) * 8), ("d.zip", zipped(("e", b"y")))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    source = MemorySource(bytes(whole[:cut]))
    try:
        for member in list_members(source).members:
            if member.method in METHODS:
                try:
                    assert sum(map(len, read_member(source, member))) < 1 << 22
                except ArchiveRefused:
                    continue
    except ArchiveRefused:
        return


@given(st.text(max_size=60))
def test_a_cleaned_name_is_always_plain(name: str) -> None:
    clean = cleaned_name(name)
    assert not clean.startswith("/")
    assert ".." not in clean.split("/")
    assert "\x00" not in clean
    assert "\\" not in clean
    clean.encode("utf-8")


def test_a_scratch_file_gives_back_what_went_in_and_is_not_readable_on_disk(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    source = ScratchSource.fill(tmp_path, (data[start : start + 70_001] for start in range(0, len(data), 70_001)))
    assert source.size == len(data)
    assert source.read(1_048_570, 20) == data[1_048_570:1_048_590]
    assert source.read(0, len(data) + 5) == data
    assert source.read(len(data), 5) == b""
    assert not list(tmp_path.iterdir())
    source.close()


def test_deflate64_and_bzip2_members_are_unpacked(site: Site) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.dcm", ct_file("1.2.1"))
    parcel = site.take(("cd.zip", out.getvalue()))
    assert parcel.objects == 1
    stored = ct_file("1.2.2")
    blocks = [stored[start : start + 60_000] for start in range(0, len(stored), 60_000)]
    packed = b"".join(
        bytes([number == len(blocks) - 1]) + struct.pack("<HH", len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    )
    parcel = site.take(("64.zip", raw_zip(b"b.dcm", stored, packed, 9)))
    assert parcel.objects == 1


def raw_zip(name: bytes, plain: bytes, packed: bytes, method: int) -> bytes:
    """Return a ZIP of one member that is packed already."""
    crc = zlib.crc32(plain)
    shared = struct.pack("<4H3L2H", 0, method, 0, 0, crc, len(packed), len(plain), len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<H", 20) + shared + name
    central = b"PK\x01\x02" + struct.pack("<2H", 20, 20) + shared + struct.pack("<3H2L", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    return local + packed + central + end
