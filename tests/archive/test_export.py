"""Studies as a ZIP: every object is in it, whatever its header is like, and what stands beside them is true."""

from __future__ import annotations

import io
import struct
import zipfile

from radrelay.archive import deletion
from radrelay.archive.export import stream_zip
from tests.archive.house import House, data_set_of, house, slices

__all__ = ["house"]

BROKEN_SEQUENCE = b"\x41\x00\x10\x10SQ\0\0\xff\xff\xff\xff" + bytes(8)


def with_unreadable_header(file: bytes) -> bytes:
    """Return a file whose header breaks beyond what is walked before it is acknowledged."""
    long = b"\x41\x00\x10\x00LO\x08\x00RADRELAY" + struct.pack("<HH2sHI", 0x41, 0x1001, b"OB", 0, 300 << 10)
    return _before_pixels(file, long + bytes(300 << 10) + BROKEN_SEQUENCE)


def _before_pixels(file: bytes, more: bytes) -> bytes:
    start = file.index(b"\xe0\x7f\x10\x00OW")
    return file[:start] + more + file[start:]


def zipped(house: House) -> zipfile.ZipFile:
    pieces = stream_zip(house.reader, house.refs(), house.executor, house.site.clock.now())
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def test_objects_whose_headers_cannot_be_read_are_in_it_each_under_a_name_of_its_own(house: House) -> None:
    files = slices(4)
    files = [files[0], *map(with_unreadable_header, files[1:])]
    house.bring(files)
    assert len(house.refs()) == 4
    archive = zipped(house)
    names = [name for name in archive.namelist() if name.startswith("DICOM/")]
    assert len(set(names)) == 4
    assert sorted(data_set_of(archive.read(name)) for name in names) == sorted(map(data_set_of, files))
    assert b"4 objects" in archive.read("README.TXT")


def test_what_went_meanwhile_is_not_counted(house: House) -> None:
    house.bring(slices(3))
    house.compact()
    refs = house.refs()
    pieces = stream_zip(house.reader, refs, house.executor, house.site.clock.now())
    with house.site.database.write() as session:
        deletion.delete_instance(session, refs[2].id, house.site.clock.now())
    house.eraser().finish()
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert len([name for name in archive.namelist() if name.startswith("DICOM/")]) == 2
    assert b"2 objects" in archive.read("README.TXT")


def test_what_is_broken_behind_the_pixels_takes_nothing_from_the_metadata(house: House) -> None:
    house.bring([slices(1)[0] + b"\xe1\x7f" + BROKEN_SEQUENCE[2:]])
    (ref,) = house.refs()
    before = house.site.services.metadata.array([ref])
    assert b'"00280010"' in before
    house.compact()
    assert house.site.services.metadata.array(house.refs()) == before
    assert "DICOM/PAT00001/STU00001/SER00001/I0000001" in zipped(house).namelist()
