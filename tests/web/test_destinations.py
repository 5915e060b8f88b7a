"""Destinations as administrators set them up, steer and try them; notices reach a real letter and an HL7 receiver."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.app.destination_watch import DestinationWatch, destination_findings
from radrelay.app.hl7_notice import Hl7Notice
from radrelay.app.stored import ArchiveSource
from radrelay.errors import Trouble
from radrelay.hl7 import Outgoing, Seal
from radrelay.identity.models import Account
from radrelay.mail.models import MailLetter
from radrelay.routing import deliveries, steering
from radrelay.routing.carriers import Carrier
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.mail_notice import MailNotice
from radrelay.routing.models import Delivery, Destination
from radrelay.routing.secrets import SecretSeal
from radrelay.routing.trying import Step
from radrelay.storage import outbox
from tests.web.conftest import Login, WebSite, close_site, open_site
from tests.web.test_studies import CT, anna, upload

__all__ = ["anna"]
MAIL: dict[str, object] = {"host": "127.0.0.1", "security": "none", "sender": "radrelay@clinic.example"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    """Give an installation that sends mail."""
    made = open_site(tmp_path, mail=MAIL)
    made.account("root", "admin")
    made.account("anna")
    yield made
    close_site(made)


def enter(login: Login, **wanted: object) -> dict[str, Any]:
    answer = login.http.post("/api/destinations", json=wanted, headers=login.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def node(login: Login, name: str = "PACS") -> dict[str, Any]:
    return enter(login, name=name, ae_title="PACS", host="pacs.local", port=104)


def test_a_secret_is_kept_sealed_and_goes_when_the_address_changes(site: WebSite, anna: Login) -> None:
    root = site.login("root")
    made = enter(root, name="Web", kind="dicomweb", address="https://pacs.example/dicom-web", secret="s3cret")
    at = f"/api/destinations/{made['id']}"
    for login in (root, anna):
        assert "s3cret" not in login.http.get("/api/destinations").text
    (seen,) = anna.http.get("/api/destinations").json()["destinations"]
    assert (seen["name"], seen["address"], seen["has_secret"]) == ("Web", "", True)
    with site.database.read() as session:
        row = session.scalars(sa.select(Destination)).one()
        assert row.sealed is not None
        assert b"s3cret" not in row.sealed
        assert SecretSeal(site.services.metadata_key).open(row.id, row.sealed) == "s3cret"
    renamed = root.http.patch(at, json={"name": "Other"}, headers=root.headers).json()
    assert renamed["has_secret"]
    moved = root.http.patch(at, json={"address": "https://thief.example/dicom-web"}, headers=root.headers).json()
    assert not moved["has_secret"]
    for wrong in ("http://pacs.example/", "https://user:pass@pacs.example/", "ftp://pacs.example/", "pacs.example"):
        answer = root.http.patch(at, json={"address": wrong}, headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "destination-invalid"), wrong
    folder = root.http.post(
        "/api/destinations", json={"name": "F", "kind": "folder", "address": "/etc"}, headers=root.headers
    )
    assert (folder.status_code, folder.json()["field"]) == (400, "folder")


def test_a_destination_is_paused_resumed_and_tried(site: WebSite) -> None:
    root = site.login("root")
    asked: list[tuple[str, bool]] = []
    made = node(root)
    at = f"/api/destinations/{made['id']}"

    def trial(destination: Destination, *, probe: bool) -> Sequence[Step]:
        asked.append((destination.name, probe))
        steps = [Step("echo", None, 2.0)]
        return (
            [*steps, Step("probe", Trouble("probe-refused", "no", {"status": "A900H", "said": ""}), 1.0)]
            if probe
            else steps
        )

    object.__setattr__(site.services, "try_destination", trial)
    assert root.http.post(f"{at}/pause", headers=root.headers).json()["paused_at"]
    assert root.http.post(f"{at}/resume", headers=root.headers).json()["paused_at"] is None
    with site.database.write() as session:
        row = session.scalars(sa.select(Destination)).one()
        steering.went_down(session, row.id, Trouble("nobody-listens", "no", {}), site.settings.work, site.clock.now())
    (down,) = root.http.get("/api/destinations").json()["destinations"]
    assert (down["error"]["code"], bool(down["down_since"])) == ("nobody-listens", True)
    failed = root.http.post(f"{at}/test", json={"probe": True}, headers=root.headers).json()
    assert (failed["ok"], failed["steps"][1]["error"]["code"]) == (False, "probe-refused")
    assert root.http.get("/api/destinations").json()["destinations"][0]["down_since"]
    assert root.http.post(f"{at}/test", json={}, headers=root.headers).json()["ok"]
    assert root.http.get("/api/destinations").json()["destinations"][0]["down_since"] is None
    assert asked == [("PACS", True), ("PACS", False)]
    told = {one["action"] for one in root.http.get("/api/audit").json()["events"]}
    assert {"destination.pause", "destination.resume", "destination.test"} <= told


def test_administrators_are_told_once_of_a_destination_that_is_down(site: WebSite, anna: Login) -> None:
    root = site.login("root")
    made = node(root)
    upload(site, anna, CT)
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    wanted = {"study_id": study, "destination_id": made["id"]}
    anna.http.post("/api/deliveries", json=wanted, headers=anna.headers)
    watch = DestinationWatch(site.database, site.clock, site.settings.work, site.services.password_links.post)
    with site.database.write() as session:
        session.execute(sa.update(Account).values(email="root@clinic.example"))
        row = session.scalars(sa.select(Destination)).one()
        trouble = Trouble("node-silent", "pacs.local:104 does not answer", {})
        steering.went_down(session, row.id, trouble, site.settings.work, site.clock.now())
    assert watch.look() == 0
    site.clock.advance(timedelta(seconds=900))
    assert (watch.look(), watch.look()) == (1, 0)
    (finding,) = destination_findings(site.database)
    assert (finding.state, "1 deliveries wait" in finding.text) == ("bad", True)
    with site.database.write() as session:
        assert [row.kind for row in session.scalars(sa.select(MailLetter))] == ["destination-down"]
        steering.came_up(session, row.id, site.clock.now())
        steering.went_down(session, row.id, trouble, site.settings.work, site.clock.now())
    site.clock.advance(timedelta(seconds=900))
    assert watch.look() == 1, "the next outage is told, too"


class Receiver:
    """An HL7 receiver of the standard library that answers each message as it is told."""

    def __init__(self) -> None:
        self.answer = "AA"
        self.messages: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                raw = b""
                while not raw.endswith(b"\x1c\r"):
                    if not (piece := connection.recv(65536)):
                        break
                    raw += piece
                self.messages.append(raw.strip(b"\x0b\x1c\r").decode())
                control = self.messages[-1].split("|")[9]
                reply = f"MSH|^~\\&|KIS|H|RADRELAY|R|20260301||ACK|1|P|2.5.1\rMSA|{self.answer}|{control}\r"
                connection.sendall(b"\x0b" + reply.encode() + b"\x1c\r")

    def close(self) -> None:
        self._listener.close()


def attempt(site: WebSite, work: DeliveryWork) -> list[tuple[str, int, str]]:
    with site.database.write() as session:
        deliveries.emit_due(session, site.clock)
        events = outbox.open_events(session, [deliveries.ATTEMPT])
        outbox.mark_taken(session, [event.id for event in events], site.clock.now())
    for event in events:
        work.attempt(event)
    with site.database.read() as session:
        rows = session.scalars(sa.select(Delivery).order_by(Delivery.created_at, Delivery.id))
        return [(row.state, row.sent, row.error_code) for row in rows]


def test_notices_go_out_once_by_mail_without_a_name_and_by_hl7(site: WebSite, anna: Login) -> None:
    root, receiver = site.login("root"), Receiver()
    upload(site, anna, CT)
    study = anna.http.get("/api/studies").json()["studies"][0]
    by_mail = enter(root, name="Referrer", kind="mail", address="dr@praxis.example")
    by_hl7 = enter(root, name="KIS", kind="hl7", host="127.0.0.1", port=receiver.port, address="KIS|HOUSE")
    for made in (by_mail, by_hl7):
        wanted = {"study_id": study["id"], "destination_id": made["id"]}
        root.http.post("/api/deliveries", json=wanted, headers=root.headers)
    post, pages = site.services.password_links.post, "https://pacs.clinic.example"
    outgoing = Outgoing(site.database, site.clock, Seal(site.services.metadata_key))
    carriers: dict[str, Carrier] = {
        "mail": MailNotice(site.database, site.clock, post, pages),
        "hl7": Hl7Notice(site.database, site.clock, outgoing, site.settings.dicom, pages, "House"),
    }
    source = ArchiveSource(site.database, site.clock, site.services.reader)
    work = DeliveryWork(site.database, site.clock, site.settings.work, source, carriers)
    receiver.answer = "AE"
    assert attempt(site, work) == [("done", 1, ""), ("failed", 0, "hl7-receiver-refused")]
    receiver.answer = "AA"
    (failed,) = [one for one in root.http.get("/api/deliveries").json()["deliveries"] if one["state"] == "failed"]
    root.http.post(f"/api/deliveries/{failed['id']}/retry", headers=root.headers)
    assert attempt(site, work) == [("done", 1, ""), ("done", 1, "")]
    receiver.close()
    with site.database.read() as session:
        (letter,) = session.scalars(sa.select(MailLetter))
        text = post.opened(letter).text
    assert f"{pages}/view?study={study['id']}" in text
    assert "CompressedSamples" not in text
    first, second = receiver.messages
    assert first.split("|")[9] == second.split("|")[9], "one control ID, so that the receiver knows it again"
    segments = {line.split("|")[0]: line.split("|") for line in second.split("\r")}
    assert segments["MSH"][8] == "MDM^T01^MDM_T01"
    assert segments["PID"][5].startswith("CompressedSamples^CT1")
    assert segments["TXA"][12] == study["study_uid"]
