"""Archives asked by DICOM: who issues their IDs; objects of another study are refused, and told of."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom.data import get_testdata_file

from radrelay.app.importing.archives import archived_holders
from radrelay.errors import Invalid
from radrelay.importer.matching import Candidate
from radrelay.importer.reconciling import Authority
from radrelay.network.listener import DicomListener
from radrelay.network.ports import Element, Peer, Query, Services, TlsFiles
from radrelay.retrieve.dicom import DicomConnector
from radrelay.retrieve.ports import Held, Inventory, Order, PacsNode
from radrelay.settings import DicomSettings, RetrieveSettings
from tests.network.memory import MemoryArchive, MemoryWriter, Stored, decoded, load


class Careless(MemoryArchive):
    """Sends all that it has, whatever is asked for."""

    def retrieve(self, peer: Peer, query: Query, destination: str = "") -> Sequence[Stored]:
        return list(self.objects.values())


class Writer(MemoryWriter):
    def study_uid(self) -> str:
        _, _, syntax = self._ids
        return str(decoded(bytes(self._data), syntax).StudyInstanceUID)


class Here(MemoryArchive):
    """What is fetched, and the landing that it comes by."""

    def open_writer(self, peer: Peer) -> Writer:
        return Writer(self)

    def storage(self, organisation_id: uuid.UUID, source_id: uuid.UUID, correlation_id: str) -> Here:
        return self

    def destination(self, organisation_id: uuid.UUID, source_id: uuid.UUID) -> str:
        return "HERE"


def test_objects_of_another_study_are_refused_and_told_of() -> None:
    careless, here = Careless(), Here()
    ct, mr = (load(careless, str(Path(str(get_testdata_file(name, download=False))))) for name in
              ("CT_small.dcm", "MR_small.dcm"))  # fmt: skip
    study = str(decoded(ct.data, ct.transfer_syntax).StudyInstanceUID)
    listed = Inventory(listed=(Held(ct.sop_uid, "1", ct.sop_class_uid), Held(mr.sop_uid, "1", mr.sop_class_uid)))
    connector = DicomConnector(DicomSettings(), RetrieveSettings(), here, TlsFiles())
    with listening(careless) as node:
        came = connector.fetch(node, Order(study), listed, None, lambda so_far: None, lambda: False)
    assert (came.completed, came.foreign, came.failed) == (1, 1, 1)
    assert list(here.objects) == [ct.sop_uid]


class Issuing(MemoryArchive):
    """Tells of one study and who issues its patient's ID, or refuses a question for that."""

    refuses = False

    def find(self, peer: Peer, query: Query) -> Iterator[Sequence[Element]]:
        self.queries.append(query)
        asked = any(key.tag == 0x00100024 for key in query.keys)
        if asked and self.refuses:
            raise Refused
        item = [(0x00400032, "UT", "1.2.276.0.76.4711"), (0x00400033, "CS", "ISO")]
        told: list[Element] = [
            (0x0020000D, "UI", "1.2.3"), (0x00100010, "PN", "Maier^Eva"), (0x00100020, "LO", "4711"),
            (0x00100021, "LO", "KH"), (0x00100030, "DA", "19610102"), (0x00100040, "CS", "F"),
        ]  # fmt: skip
        yield [*told, (0x00100024, "SQ", [item])] if asked else told


class Refused(Invalid):
    code = "not-known"


@contextmanager
def listening(archive: MemoryArchive) -> Iterator[PacsNode]:
    listener = DicomListener(DicomSettings(port=0), Services(archive, archive, archive))
    listener.start()
    try:
        yield PacsNode(
            uuid.uuid4(), uuid.uuid4(), "PACS", "PACS", "127.0.0.1", listener.addresses[0].port, "", tls=False,
            model="study", method="get", source_id=uuid.uuid4(),
        )  # fmt: skip
    finally:
        listener.stop(0.0)


def test_an_archive_tells_who_issues_its_ids_and_one_that_does_not_know_of_that_is_asked_without() -> None:
    archive = Issuing()
    connector = DicomConnector(DicomSettings(), RetrieveSettings(), Here(), TlsFiles())
    with listening(archive) as node:
        (found,) = archived_holders(connector, [node], RetrieveSettings(), "4711").found
        assert found == Candidate("pacs", found.person, Authority("1.2.276.0.76.4711", "ISO"))
        assert (found.person.name, found.person.issuer) == ("Maier^Eva", "KH")
        archive.refuses = True
        without = archived_holders(connector, [node], RetrieveSettings(), "4711")
    assert (without.found, without.silent) == ((Candidate("pacs", found.person),), ())
    assert len(archive.queries) == 3
