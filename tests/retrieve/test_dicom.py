"""An archive that sends objects of another study than the one that was asked for: they are refused, and told of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from pydicom.data import get_testdata_file

from radrelay.network.listener import DicomListener
from radrelay.network.ports import Peer, Query, Services, TlsFiles
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
    listener = DicomListener(DicomSettings(port=0), Services(careless, careless, careless))
    listener.start()
    node = PacsNode(
        uuid.uuid4(), uuid.uuid4(), "PACS", "PACS", "127.0.0.1", listener.addresses[0].port, "", tls=False,
        model="study", method="get", source_id=uuid.uuid4(),
    )  # fmt: skip
    study = str(decoded(ct.data, ct.transfer_syntax).StudyInstanceUID)
    listed = Inventory(listed=(Held(ct.sop_uid, "1", ct.sop_class_uid), Held(mr.sop_uid, "1", mr.sop_class_uid)))
    connector = DicomConnector(DicomSettings(), RetrieveSettings(), here, TlsFiles())
    try:
        came = connector.fetch(node, Order(study), listed, None, lambda so_far: None, lambda: False)
    finally:
        listener.stop(0.0)
    assert (came.completed, came.foreign, came.failed) == (1, 1, 1)
    assert list(here.objects) == [ct.sop_uid]
