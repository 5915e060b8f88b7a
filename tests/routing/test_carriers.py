"""Each kind of destination gets a study whole, once, and with a receipt for each object that goes there."""

from __future__ import annotations

import io
import json
import ssl
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pydicom
import pytest
import trustme

from radrelay.dicom.phantoms import study as phantom
from radrelay.dicom.probe import make_probe
from radrelay.dicom.transcode import transcode
from radrelay.network.client import BytesItem
from radrelay.routing.carriers import Errand
from radrelay.routing.errors import Interrupted, ReceiptsVoid
from radrelay.routing.folder import FolderCarrier, beside
from radrelay.routing.models import Delivery, Destination
from radrelay.routing.secrets import SecretSeal
from radrelay.routing.stow import StowCarrier
from radrelay.routing.trying import look_at_tls, send_probe, step
from radrelay.settings import WorkSettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXPLICIT, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"


@dataclass(frozen=True, slots=True)
class Item(BytesItem):
    """An object with a row, kept in one transfer syntax and given in Explicit VR Little Endian, too."""

    instance_id: uuid.UUID
    plain: bytes

    def open(self, accepted: Sequence[str]) -> tuple[str, tuple[bytes, ...]]:
        if self.transfer_syntax in accepted:
            return self.transfer_syntax, (self.data_set,)
        return EXPLICIT, (self.plain,)


def items(count: int = 3, syntax: str = EXPLICIT) -> list[Item]:
    """Return the objects of a phantom study as they are kept."""
    found = []
    for content in phantom("ct-head", seed=7, slices=count, size=32):
        file = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        plain = content[content.index(b"\x08\0\x05\0CS") :]
        kept = plain if syntax == EXPLICIT else transcode(plain, EXPLICIT, syntax)
        found.append(Item(file.SOPClassUID, file.SOPInstanceUID, syntax, kept, uuid.uuid4(), plain))
    return found


def errand(destination: Destination, things: Sequence[Item]) -> Errand:
    delivery = Delivery(id=uuid.uuid4(), organisation_id=uuid.uuid4(), created_at=NOW, study_id=uuid.uuid4())
    return Errand(delivery, destination, things)


def deliver(carrier: FolderCarrier | StowCarrier, whole: Errand) -> list[int]:
    """Carry an errand to its end; returns the statuses."""
    with carrier.open(whole, whole.items) as sending:
        statuses = [sending.send(item).status for item in whole.items]
    carrier.finish(whole)
    return statuses


def folder_at(path: Path) -> Destination:
    return Destination(id=uuid.uuid4(), organisation_id=uuid.uuid4(), kind="folder", address=str(path))


def test_a_folder_gets_a_file_set_in_one_rename(tmp_path: Path) -> None:
    carrier, things = FolderCarrier((tmp_path,)), items()
    one = errand(folder_at(tmp_path), things)
    with carrier.open(one, things) as sending:
        assert [sending.send(item).status for item in things] == [0, 0, 0]
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    carrier.finish(one)
    (whole,) = tmp_path.iterdir()
    directory = pydicom.dcmread(whole / "DICOMDIR")
    assert whole.name.startswith(
        next(r for r in directory.DirectoryRecordSequence if "StudyInstanceUID" in r).StudyInstanceUID
    )
    named = [r.ReferencedFileID for r in directory.DirectoryRecordSequence if "ReferencedFileID" in r]
    read = [pydicom.dcmread(whole.joinpath(*path)) for path in named]
    assert {file.SOPInstanceUID for file in read} == {item.sop_uid for item in things}
    assert all(file.pixel_array.size for file in read)
    carrier.finish(one)
    assert list(tmp_path.iterdir()) == [whole]


def test_a_folder_that_was_being_arranged_when_the_worker_was_killed_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier, things = FolderCarrier((tmp_path,)), items()
    one = errand(folder_at(tmp_path), things)
    with carrier.open(one, things) as sending:
        for item in things:
            sending.send(item)
    renamed: list[Path] = []
    original = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if len(renamed) == 2:
            raise KeyboardInterrupt
        renamed.append(path)
        return original(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        carrier.finish(one)
    monkeypatch.undo()
    carrier.finish(one)
    (whole,) = tmp_path.iterdir()
    files = [path for path in (whole / "DICOM").rglob("*") if path.is_file()]
    assert {pydicom.dcmread(path).SOPInstanceUID for path in files} == {item.sop_uid for item in things}
    assert len(files) == 3


def test_what_vanished_from_a_folder_before_it_was_whole_is_sent_again(tmp_path: Path) -> None:
    carrier, things = FolderCarrier((tmp_path,)), items()
    one = errand(folder_at(tmp_path), things)
    with carrier.open(one, things) as sending:
        for item in things:
            sending.send(item)
    (beside(tmp_path, one.delivery) / str(things[1].instance_id)).unlink()
    with pytest.raises(ReceiptsVoid):
        carrier.finish(one)
    assert list(tmp_path.iterdir()) == []
    assert deliver(carrier, one) == [0, 0, 0]


def test_a_folder_that_leads_out_of_what_is_allowed_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "secret")
    carrier = FolderCarrier((tmp_path / "allowed",))
    for place in (tmp_path / "secret", tmp_path / "allowed" / ".." / "secret", tmp_path / "allowed" / "link"):
        with pytest.raises(Interrupted), carrier.open(errand(folder_at(place), items(1)), []):
            pass


def stored(body: bytes) -> dict[str, Any]:
    """Return the answer that names the object of a request as stored."""
    at = body.index(b"\x02\0\x03\0UI") + 8
    uid = body[at : at + body[at - 2]].rstrip(b"\0").decode()
    return {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}}]}}


class Service(BaseHTTPRequestHandler):
    """A DICOMweb service of the standard library that answers as it is told."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, dict[str, Any]]]] = []
    asked: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers.get("Authorization", ""), body))
        status, told = self.answers.pop(0) if self.answers else (200, stored(body))
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Destination]:
    """Give a destination that a service of this test's own answers for."""
    with serving(None) as destination:
        yield destination


@contextmanager
def serving(tls: ssl.SSLContext | None) -> Iterator[Destination]:
    """Run the service, and give it as a destination."""
    Service.answers.clear()
    Service.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    destination = Destination(id=uuid.uuid4(), organisation_id=uuid.uuid4(), kind="dicomweb", username="")
    scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
    destination.address = f"{scheme}://{host}:{server.server_address[1]}/pacs/"
    try:
        yield destination
    finally:
        server.shutdown()
        server.server_close()


def refused(reason: int) -> dict[str, Any]:
    return {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}


def test_each_object_is_stowed_with_its_own_answer_and_our_login(service: Destination) -> None:
    seal = SecretSeal(b"k" * 32)
    service.sealed = seal.close(service.id, "a token")
    carrier = StowCarrier(WorkSettings(), seal)
    things = items(4)
    assert deliver(carrier, errand(service, things[:1])) == [0]
    Service.answers[:] = [(409, refused(0xA900)), (413, {}), (200, {"00081199": {"vr": "SQ"}})]
    # the last one answers as Orthanc does for a part that it passes over
    assert deliver(carrier, errand(service, things[1:])) == [0xA900, 0xA700, 0x0110]
    assert {(path, login) for path, login, _ in Service.asked} == {("/pacs/studies", "Bearer a token")}
    assert b"DICM" in Service.asked[0][2]
    with (
        pytest.raises(Interrupted) as raised,
        StowCarrier(WorkSettings(), SecretSeal(b"x" * 32)).open(errand(service, []), []),
    ):
        pass
    assert raised.value.trouble.code == "secret-unreadable"


def test_a_service_that_does_not_take_a_transfer_syntax_gets_the_object_uncompressed(service: Destination) -> None:
    Service.answers[:] = [(409, refused(0xC122))]
    [thing] = items(1, J2K)
    assert deliver(StowCarrier(WorkSettings(), SecretSeal(b"k" * 32)), errand(service, [thing])) == [0]
    first, second = (body for _, _, body in Service.asked)
    assert thing.data_set in first
    assert thing.plain in second


@pytest.mark.parametrize(("status", "code"), [(401, "web-refused"), (503, "web-trouble"), (302, "web-trouble")])
def test_a_service_that_lets_nobody_in_or_is_away_is_down(service: Destination, status: int, code: str) -> None:
    Service.answers[:] = [(status, {})]
    with pytest.raises(Interrupted) as raised:
        deliver(StowCarrier(WorkSettings(), SecretSeal(b"k" * 32)), errand(service, items(1)))
    assert (raised.value.down, raised.value.trouble.code) == (True, code)


def test_a_probe_object_is_nobodys_and_has_uids_of_its_own(tmp_path: Path) -> None:
    one, other = make_probe(NOW), make_probe(NOW)
    assert len({one.study_uid, one.sop_uid, other.study_uid, other.sop_uid}) == 4
    told = send_probe(FolderCarrier((tmp_path,)), folder_at(tmp_path), one, NOW)
    assert told == {"study_uid": one.study_uid, "sop_uid": one.sop_uid}
    (whole,) = tmp_path.iterdir()
    (path,) = [path for path in (whole / "DICOM").rglob("*") if path.is_file()]
    file = pydicom.dcmread(path)
    assert (str(file.PatientName), file.PatientID, file.BurnedInAnnotation) == ("RADRELAY^TEST", "RADRELAY-TEST", "NO")
    assert file.pixel_array.shape == (64, 64)


def test_a_certificate_is_verified_and_its_facts_are_told_even_if_it_is_not_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", common_name="pacs.example").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusting = StowCarrier(WorkSettings(web_ca=tmp_path / "ca.pem"), SecretSeal(b"k" * 32))
    stranger = StowCarrier(WorkSettings(), SecretSeal(b"k" * 32))
    with serving(tls) as destination:
        port = urlsplit(destination.address).port or 0
        assert deliver(trusting, errand(destination, items(1))) == [0]
        with pytest.raises(Interrupted) as raised:
            deliver(stranger, errand(destination, items(1)))
        assert raised.value.trouble.code == "certificate-untrusted"
        assert len(Service.asked) == 1
        good = step("tls", lambda: look_at_tls("localhost", port, trusting.context()))
        bad = step("tls", lambda: look_at_tls("localhost", port, stranger.context()))
    assert good.trouble is None
    assert (bad.trouble.code if bad.trouble else "") == "certificate-untrusted"
    assert good.facts["subject"] == bad.facts["subject"]
    assert "pacs.example" in str(good.facts["subject"])
    assert good.facts["version"] == "TLSv1.3"
