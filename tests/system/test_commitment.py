"""Storage commitment outlives the role that promised it: pynetdicom asks, `listen` is killed, the report comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from tests.ports import free_port
from tests.system.installation import Installation, running, tool, until
from tests.system.samples import phantom_files

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # pynetdicom leaves the socket of a broken association
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"


@pytest.fixture(scope="module")
def radrelay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = {"RADRELAY_WORK__RETRY_FIRST_S": "1", "RADRELAY_WORK__RETRY_CAP_S": "2"}
    with running(tmp_path_factory.mktemp("radrelay"), settings) as made:
        yield made


def ask(radrelay: Installation, transaction: str, references: list[tuple[str, str]], **events: Any) -> Any:
    """Ask for commitment and return the association, the N-ACTION answered with success."""
    ae = AE("COMMITTER")
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", radrelay.dicom_port, **events)
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = []
    for sop_class, sop in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop
        request.ReferencedSOPSequence.append(item)
    status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, PUSH_INSTANCE)
    assert status.Status == 0x0000
    return association


@pytest.mark.soak
def test_report_comes_on_a_new_association_after_listen_was_killed(radrelay: Installation, tmp_path: Path) -> None:
    sample = phantom_files(tmp_path, "ct-head", seed=5, slices=1)[0]
    tool("storescu", "localhost", radrelay.dicom_port, sample.path)
    radrelay.wait_study(sample.study, 1)
    header = dcmread(sample.path, stop_before_pixels=True)
    port = free_port()
    target = {"name": "committer", "ae_title": "COMMITTER", "host": "127.0.0.1", "port": port}
    radrelay.send("POST", "/api/destinations", target)
    # the second is not here, so `listen` waits for the index before it reports, and is killed meanwhile
    references = [(str(header.SOPClassUID), sample.sop), (str(header.SOPClassUID), "1.2.3.404")]
    association = ask(radrelay, "1.2.826.0.1.3680043.8.498.1", references)
    radrelay.kill("listen")
    association.abort()
    reports: list[tuple[int | None, Dataset]] = []

    def on_report(event: evt.Event) -> tuple[int, None]:
        reports.append((event.event_type, event.event_information))
        return (0x0110 if len(reports) == 1 else 0x0000), None  # the first is not taken, and so comes again

    ae = AE("COMMITTER")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, on_report)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        until(lambda: len(reports) >= 2, "the report, and again after it was not taken", 120)
    finally:
        server.shutdown()
    for event_type, report in reports:
        assert event_type == 2
        assert report.TransactionUID == "1.2.826.0.1.3680043.8.498.1"
        assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [sample.sop]
        assert [item.ReferencedSOPInstanceUID for item in report.FailedSOPSequence] == ["1.2.3.404"]
