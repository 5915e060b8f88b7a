"""What modalities say of the steps that they perform goes on to others: to pynetdicom's provider, in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep  # type: ignore[attr-defined]  # made on import

from radrelay.app.stored import DicomCarrier
from radrelay.audit.models import AuditEvent
from radrelay.routing.destinations import DestinationDraft, create_destination
from radrelay.routing.models import Destination, StepDelivery
from radrelay.routing.performed import (
    ToldStep,
    forget_steps,
    get_step,
    hold_open,
    pass_on_begun,
    pass_on_changed,
    retry_step,
)
from radrelay.routing.performing import StepWork
from radrelay.settings import WorkSettings
from tests.hl7.hospital import Hospital, hospital
from tests.hl7.test_worklist import listening, step


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path) as opened:
        yield opened


@contextmanager
def taking_steps(answer: int = 0x0000) -> Iterator[tuple[int, list[tuple[str, str, Dataset]]]]:
    """Run another maker's provider of performed steps; gives its port and what it was told, in order."""
    told: list[tuple[str, str, Dataset]] = []

    def create(event: Any) -> tuple[int, Dataset]:
        uid, data = str(event.request.AffectedSOPInstanceUID), event.attribute_list
        if any(uid == known for _, known, _ in told):
            return 0x0111, data
        told.append(("create", uid, data))
        return answer, data

    def change(event: Any) -> tuple[int, Dataset]:
        told.append(("set", str(event.request.RequestedSOPInstanceUID), event.modification_list))
        return answer, event.modification_list

    entity = AE("RIS")
    entity.add_supported_context(ModalityPerformedProcedureStep, "1.2.840.10008.1.2")
    server: Any = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_CREATE, create), (evt.EVT_N_SET, change)]
    )
    try:
        yield server.socket.getsockname()[1], told
    finally:
        server.shutdown()


def test_what_modalities_perform_is_passed_on_in_order_whatever_happens_on_the_way(there: Hospital) -> None:
    with taking_steps() as (ris, told), listening(there, "CT_A", "RIS") as port:
        draft = DestinationDraft("RIS", "RIS", "127.0.0.1", 1, performed_steps=True)
        with there.database.write() as session:
            wanting = create_destination(session, there.clock, there.org, draft).id
            create_destination(session, there.clock, there.org, replace(draft, name="PACS", performed_steps=False))
        work = StepWork(there.database, there.clock, WorkSettings(), DicomCarrier(there.core.settings.dicom))
        ended = Dataset()
        ended.PerformedProcedureStepStatus = "COMPLETED"
        begun = step("IN PROGRESS")
        begun.SpecificCharacterSet, begun.PatientName, begun.TotalNumberOfExposures = "ISO_IR 100", "Groß^Änne", 3
        private = begun.private_block(0x0029, "MAKER", create=True)
        private.add_new(1, "OB", b"\xff\x00\x5c\x20")
        private.add_new(2, "UN", b"\xe4 \\ \x00 ")
        for title, uid in (("CT_A", "1.2.9.1"), ("CT_A", "1.2.9.2"), ("RIS", "1.2.9.3")):
            entity = AE(title)
            entity.add_requested_context(ModalityPerformedProcedureStep, "1.2.840.10008.1.2.1")
            said = entity.associate("127.0.0.1", port, ae_title="RADRELAY")
            assert said.send_n_create(begun, ModalityPerformedProcedureStep, uid)[0].Status == 0
            assert said.send_n_set(ended, ModalityPerformedProcedureStep, uid)[0].Status == 0
            said.release()

        assert work.tick() == 0, "nothing listens there"
        assert {(one.state, one.error_code) for one in passed_on(there)} == {("waiting", "nobody-listens")}
        with there.database.write() as session:
            session.get_one(Destination, wanting).port = ris
            before = session.scalars(sa.select(StepDelivery).where(StepDelivery.sop_uid == "1.2.9.2")).all()
            told.append(("create", "1.2.9.2", begun))  # it came there before, and the answer was lost
            before[0].asked = True
        there.clock.advance(timedelta(hours=1))
        assert work.tick() == 4
        work.close()
    assert [(kind, uid) for kind, uid, _ in told[1:]] == [
        ("create", "1.2.9.1"), ("set", "1.2.9.1"), ("set", "1.2.9.2")
    ], "each step's beginning first, and what came from there does not go back"  # fmt: skip
    assert (told[1][2].PatientName, told[1][2].TotalNumberOfExposures) == ("Groß^Änne", 3)
    kept = told[1][2].private_block(0x0029, "MAKER")
    assert (kept[1].value, kept[2].value) == (b"\xff\x00\x5c\x20", b"\xe4 \\ \x00 ")
    assert told[1][2].ScheduledStepAttributesSequence[0].AccessionNumber == "A1"
    assert {(one.state, one.patient_id) for one in passed_on(there)} == {("done", "4711")}
    with there.database.read() as session:
        record = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "delivery.step")).all()
        assert {one.outcome for one in record} == {"success"}
        assert len(record) == 4


def test_a_refused_beginning_keeps_what_follows_from_going_and_both_go_when_asked_again(there: Hospital) -> None:
    work = StepWork(there.database, there.clock, WorkSettings(), DicomCarrier(there.core.settings.dicom))
    body = b"\x08\x00\x60\x00\x02\x00\x00\x00CT"
    first = ToldStep(there.org, "1.2.9.1", "IN PROGRESS", "CT_A", ("", "4711"), "", "", body, "1.2.840.10008.1.2")
    with taking_steps(0x0124) as (ris, _):
        draft = DestinationDraft("RIS", "RIS", "127.0.0.1", ris, performed_steps=True)
        with there.database.write() as session:
            wanting = create_destination(session, there.clock, there.org, draft).id
            pass_on_begun(session, first, there.clock.now())
            pass_on_changed(session, replace(first, state="COMPLETED"), there.clock.now())
        assert work.tick() == 1
    assert [(one.state, one.status, one.error_code) for one in passed_on(there)] == [
        ("failed", 0x0124, "step-refused"), ("failed", -1, "step-not-begun")
    ]  # fmt: skip
    with taking_steps() as (ris, told):
        with there.database.write() as session:
            session.get_one(Destination, wanting).port = ris
            retry_step(session, there.clock, get_step(session, there.org, passed_on(there)[0].id))
        assert work.tick() == 2
        work.close()
    assert [kind for kind, _, _ in told] == ["create", "set"]
    with there.database.write() as session:
        pass_on_changed(session, replace(first, state="COMPLETED"), there.clock.now())
        assert hold_open(session) == 1, "a restored copy tells nobody"
        forget_steps(session, there.org, "", "4711")
    assert passed_on(there) == []


def passed_on(there: Hospital) -> list[StepDelivery]:
    with there.database.read() as session:
        found = list(session.scalars(sa.select(StepDelivery).order_by(StepDelivery.sop_uid, StepDelivery.turn)))
        session.expunge_all()
        return found
