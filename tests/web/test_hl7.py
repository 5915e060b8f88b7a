"""HL7 at the page: messages found, shown under the right to see all, worked on again, mappings tried, reports sent."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.access.models import Grant
from radrelay.archive.models import Instance
from radrelay.audit.models import AuditEvent
from radrelay.dicom.encapsulate import Placing, StudyContext, pdf_file
from radrelay.hl7 import (
    Keeping,
    Limits,
    MllpListener,
    MllpSender,
    Outgoing,
    Port,
    Processor,
    Receiver,
    Seal,
    connections,
)
from radrelay.hl7.mllp import Received
from tests.hl7.samples import adt, order
from tests.hl7.test_reports import PDF
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, file_bytes, only_study, upload, upload_bytes

PORTS = [{"name": "KIS", "port": 2575, "character_set": "8859/1", "coerce": ["merges"]}]
RECEIVERS = [{"name": "RIS", "host": "127.0.0.1", "port": 2576, "application": "RIS", "character_set": "8859/1"}]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    made = open_site(tmp_path, hl7={"ports": PORTS, "receivers": RECEIVERS}, web={"address": "https://pacs.example"})
    yield made
    close_site(made)


@pytest.fixture
def root(site: WebSite) -> Login:
    site.account("root", "admin")
    return site.login("root")


def taken(site: WebSite, *messages: bytes) -> Processor:
    seal = Seal(site.services.metadata_key)
    with site.database.read() as session:
        boxes = connections.inboxes(session, site.services.settings.hl7, site.organisation_id)
    Keeping(site.database, site.clock, seal, boxes).take([Received("KIS", "10.0.0.7", one) for one in messages])
    processor = Processor(site.database, site.clock, seal, boxes, {})
    processor.tick()
    return processor


def asked(login: Login, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = login.http.request(method, f"/api/hl7{path}", json=body, headers=login.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def actions(site: WebSite) -> list[str]:
    with site.database.read() as session:
        found = sa.select(AuditEvent.action).where(AuditEvent.action.like("hl7.%")).order_by(AuditEvent.at)
        return list(session.scalars(found))


def test_messages_are_found_shown_and_worked_on_again_on_record(site: WebSite, root: Login) -> None:
    taken(site, adt(control_id="1"), order("2"), adt("A99", "3"))
    listed = asked(root, "GET", "/messages")["messages"]
    assert [(one["control_id"], one["state"], one["answer"]) for one in listed] == [
        ("3", "refused", "AR"), ("2", "kept", "AA"), ("1", "kept", "AA"),
    ]  # fmt: skip
    assert listed[0]["trouble"]["code"] == "hl7-event"
    (found,) = asked(root, "GET", "/messages?text=4711&type=ADT&state=kept")["messages"]
    shown = asked(root, "GET", f"/messages/{found['id']}")
    assert "Müller^Anna" in shown["text"]
    assert {"attribute": "patient.name", "place": "PID-5", "text": "Müller^Anna"} in shown["read"]["found"]
    (again,) = asked(root, "POST", "/messages/replay", {"ids": [found["id"]]})["messages"]
    assert (again["state"], again["replays"]) == ("waiting", 1)
    assert asked(root, "POST", "/messages/replay", {"ids": [found["id"]]}, 409)["code"] == "hl7-waits"
    assert asked(root, "GET", f"/messages/{uuid.uuid4()}", status=404)["code"] == "hl7-not-found"
    assert actions(site) == ["hl7.search", "hl7.read", "hl7.replay"]
    (port,), (receiver,) = asked(root, "GET", "")["ports"], asked(root, "GET", "")["receivers"]
    assert (port["name"], port["of_day"], port["waiting"], port["failed"]) == ("KIS", 3, 1, 1)
    assert (port["error"]["code"], receiver["of_day"]) == ("hl7-event", 0)


def test_who_may_not_see_every_patient_is_not_shown_what_messages_say(site: WebSite, root: Login) -> None:
    taken(site, adt(control_id="1"))
    (one,) = asked(root, "GET", "/messages")["messages"]
    with site.database.write() as session:
        session.execute(sa.update(Grant).values(identity="alias"))
    assert asked(root, "GET", f"/messages/{one['id']}", status=403)["code"] == "identity-hidden"
    assert "hl7.read" not in actions(site)


def test_mapping_is_tried_against_pasted_messages_and_nothing_is_kept(site: WebSite, root: Login) -> None:
    text = adt().decode("latin-1").replace("\r", "\n")
    (trial,) = asked(root, "POST", "/try", {"text": text, "port": "KIS"})["trials"]
    assert (trial["kind"], trial["change"], trial["trouble"]) == ("ADT^A01", "patient", None)
    assert "MSA|AA|1" in trial["answers"][0]
    mapping = "[patient]\nname = 'ZZZ-1'\n[issuers]\nHOSPITAL = 'KLINIK'"
    (trial,) = asked(root, "POST", "/try", {"text": text, "port": "KIS", "mapping": mapping})["trials"]
    assert "patient.name" not in {one["attribute"] for one in trial["found"]}
    (broken,) = asked(root, "POST", "/try", {"text": text.replace("4711^^^HOSPITAL^PI", "")})["trials"]
    assert (broken["trouble"]["code"], broken["at"]) == ("hl7-field-missing", "PID-3")
    assert asked(root, "POST", "/try", {"text": text, "mapping": "[patient]\nnom = 1"}, 400)["code"] == "hl7-mapping"
    assert asked(root, "GET", "/messages")["messages"] == []


def test_report_goes_out_as_pdf_text_and_link_and_is_taken(site: WebSite, root: Login) -> None:
    upload(site, root, CT)
    study = only_study(root)
    (ct,) = [one["id"] for series in _series(root, study) for one in series["instances"]]
    assert asked(root, "POST", "/reports", {"receiver": "RIS", "instance_id": ct}, 404)["code"] == "hl7-nothing-to-send"
    pdf = _with_pdf(site, root, study)
    assert asked(root, "GET", "/receivers") == {"receivers": ["RIS"]}
    body = {"receiver": "RIS", "instance_id": pdf, "link": True}
    assert asked(root, "POST", "/reports", body | {"receiver": "X"}, 404)["code"] == "hl7-receiver-unknown"
    message_id = asked(root, "POST", "/reports", body, 201)["message_id"]
    came: list[bytes] = []
    arrived = threading.Event()

    class Sink:
        def take(self, received: Any) -> list[list[bytes]]:
            came.extend(one.frame for one in received)
            arrived.set()
            return keeping.take(received)

    seal = Seal(site.services.metadata_key)
    with site.database.read() as session:
        boxes = connections.inboxes(session, site.services.settings.hl7, site.organisation_id)
    keeping = Keeping(site.database, site.clock, seal, boxes)
    listener = MllpListener([Port("KIS", "127.0.0.1", 0)], Sink(), Limits())
    listener.start()
    sender = MllpSender(Receiver(*listener.addresses["KIS"]))
    assert Outgoing(site.database, site.clock, seal).send_due({"RIS": sender}) == 1
    sender.close()
    listener.stop(1.0)
    shown = asked(root, "GET", f"/messages/{message_id}")
    assert (shown["message"]["state"], shown["message"]["type"], shown["message"]["answer"]) == (
        "sent",
        "ORU^R01",
        "AA",
    )
    (ours,) = asked(root, "GET", "/messages?direction=in")["messages"]
    back = asked(root, "GET", f"/messages/{ours['id']}")["read"]
    assert back["change"] == "report"
    assert f"requestType=STUDY&studyUID={study['study_uid']}" in came[0].decode("latin-1").replace("\\T\\", "&")
    assert actions(site)[0] == "hl7.send"
    asked(root, "POST", "/reports", {"receiver": "RIS", "study_id": study["id"]}, 422)
    words = {"receiver": "RIS", "study_id": study["id"], "text": "Kein Bruch.\nÄnderung: keine.", "link": False}
    asked(root, "POST", "/reports", words, 201)
    of_study = root.http.get(f"/api/studies/{study['id']}/reports").json()
    assert [(one["kind"], one["instance_id"]) for one in of_study["objects"]] == [("pdf", pdf)]
    told = [(one["receiver"], one["state"], one["answer"]) for one in of_study["sent"]]
    assert told == [("RIS", "waiting", ""), ("RIS", "sent", "AA")]
    (said,) = asked(root, "GET", "/messages?direction=out&state=waiting")["messages"]
    segments = asked(root, "GET", f"/messages/{said['id']}")
    assert "Kein Bruch." in str(segments)


def _series(login: Login, study: Any) -> list[Any]:
    opened = login.http.get(f"/api/studies/{study['id']}").json()
    return [login.http.get(f"/api/series/{one['id']}").json() for one in opened["series"]]


def _with_pdf(site: WebSite, login: Login, study: Any) -> str:
    """Add an encapsulated PDF to the study; returns its id."""
    ct = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    context = StudyContext(ct.StudyInstanceUID, str(ct.PatientName), ct.PatientID)
    placing = Placing(site.clock.now(), "1.2.77", "1.2.77.1", title="Befund")
    upload_bytes(site, login, {"report.dcm": pdf_file(PDF, context, placing)})
    every = [one for series in _series(login, study) for one in series["instances"]]
    with site.database.read() as session:
        found = session.scalars(sa.select(Instance.id).where(Instance.sop_uid == "1.2.77.1")).one()
    assert len(every) == 2
    return str(found)
