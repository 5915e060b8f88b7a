"""Metadata of an XDM are hints: read within limits, never expanded, never believed."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.dicom.disc_directory import DiscFile
from radrelay.dicom.errors import Malformed
from radrelay.importer.arrived import Person
from radrelay.importer.findings import Parcel, of_parcel
from radrelay.importer.promises import directories, of_directory, of_xdm
from radrelay.importer.promises import metadata as metadata_of
from radrelay.importer.xdm import MAX_BYTES, XdmDocument, read_xdm
from tests.importer.test_matching import came, one_person

SLOTS = """
<rim:Slot name="URI"><rim:ValueList><rim:Value>{uri}</rim:Value></rim:ValueList></rim:Slot>
<rim:Slot name="size"><rim:ValueList><rim:Value>1024</rim:Value></rim:ValueList></rim:Slot>
<rim:Slot name="hash"><rim:ValueList><rim:Value>AB12</rim:Value></rim:ValueList></rim:Slot>
<rim:Slot name="sourcePatientId"><rim:ValueList>
<rim:Value>77^^^FERN&amp;1.2.3&amp;ISO</rim:Value></rim:ValueList></rim:Slot>
<rim:Slot name="sourcePatientInfo"><rim:ValueList>
<rim:Value>PID-5|Müller^Anna^Maria^jr^Dr.</rim:Value><rim:Value>PID-7|19700203</rim:Value><rim:Value>PID-8|F</rim:Value>
</rim:ValueList></rim:Slot>
<rim:Name><rim:LocalizedString value="Befund"/></rim:Name>
<rim:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" value="1.2.9^x">
<rim:Name><rim:LocalizedString value="XDSDocumentEntry.uniqueId"/></rim:Name></rim:ExternalIdentifier>
"""
WHOLE = """<?xml version="1.0" encoding="UTF-8"?>
<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
 xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><rim:RegistryObjectList>{documents}
<rim:RegistryPackage id="s"><rim:Slot name="URI"><rim:ValueList><rim:Value>no</rim:Value></rim:ValueList></rim:Slot>
</rim:RegistryPackage></rim:RegistryObjectList></lcm:SubmitObjectsRequest>"""
ANNA = Person("Müller^Anna^Maria^Dr.^jr", "77", "FERN", date(1970, 2, 3), "F")


def metadata(*uris: str) -> bytes:
    made = (
        f'<rim:ExtrinsicObject mimeType="application/pdf">{SLOTS.format(uri=uri)}</rim:ExtrinsicObject>' for uri in uris
    )
    return WHOLE.format(documents="".join(made)).encode()


def test_documents_and_whom_the_sender_names() -> None:
    first, second = read_xdm(metadata("DOC1.PDF", "REPORT/2.PDF"))
    assert first == XdmDocument("DOC1.PDF", "application/pdf", "Befund", "1.2.9", 1024, "ab12", ANNA)
    assert second.path == "REPORT/2.PDF"
    (promise,) = of_xdm([first, second], "IHE_XDM/SUBSET01")
    assert promise.paths == {"ihe_xdm/subset01/doc1.pdf", "ihe_xdm/subset01/report/2.pdf"}
    assert promise.person == ANNA


def test_addresses_that_lead_up_are_of_the_same_files() -> None:
    (promise,) = of_xdm(read_xdm(metadata("../../DATA/1.PDF", "A/../B/./2.PDF", "../../../../3.PDF")), "IHE_XDM/SUB")
    assert promise.paths == {"data/1.pdf", "ihe_xdm/sub/b/2.pdf", "3.pdf"}
    beside = one_person(came())
    held = Parcel((beside,), papers=("DATA/1.PDF", "IHE_XDM/SUB/B/2.PDF", "3.PDF"), promises=(promise,))
    assert "files-missing" not in {one.code for one in of_parcel(held)}


def test_long_addresses_come_in_pieces() -> None:
    (found,) = read_xdm(metadata("2|b.pdf</rim:Value><rim:Value>1|a/"))
    assert found.path == "a/b.pdf"


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&x;</a>", b"<a>", b"", b"\xff\xfe\0", b"<a>" * 100, b"<a/>" + b" " * MAX_BYTES,
        b'<?xml version="1.0" encoding="nothing"?><a/>',
    ],
)  # fmt: skip
def test_what_is_hostile_or_broken_is_refused(hostile: bytes) -> None:
    with pytest.raises(Malformed):
        read_xdm(hostile)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2000), st.binary(max_size=8))
def test_any_bytes_are_read_or_refused(at: int, with_these: bytes) -> None:
    whole = metadata("a")
    with suppress(Malformed):
        read_xdm(whole[:at] + with_these + whole[at:])


def test_a_directory_promises_each_study_its_files() -> None:
    files = [
        DiscFile("D/1", "1.1.1", "IMAGE", "", "1.1"),
        DiscFile("D/2", "", "IMAGE", "", "1.1"),
        DiscFile("R", "", "", ""),
    ]
    nameless, study = of_directory(files, "disc")
    assert (study.study_uid, study.files) == ("1.1", 2)
    assert study.sop_uids == {"1.1.1"}
    assert study.paths == {"disc/d/2"}
    assert nameless.paths == {"disc/r"}


def test_hints_are_found_by_where_they_stand() -> None:
    paths = ["CD\\DICOMDIR;1", "a/dicomdir", "DICOMDIR.txt", "x/IHE_XDM/SUB/METADATA.XML", "METADATA.XML"]
    assert directories(paths) == ("CD\\DICOMDIR;1", "a/dicomdir")
    assert metadata_of(paths) == ("x/IHE_XDM/SUB/METADATA.XML",)
