"""kill -9 of each role while objects come in: what was acknowledged is there, exactly once, and work goes on."""

from __future__ import annotations

import gc
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE

from tests.system.installation import Installation, InVain, until
from tests.system.samples import Sample, data_set_of, phantom_files

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # pynetdicom leaves the socket of a broken association
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EXPLICIT = "1.2.840.10008.1.2.1"


class Sender(threading.Thread):
    """Sends objects by C-STORE one after another, again and again until each is acknowledged."""

    def __init__(self, radrelay: Installation, samples: list[Sample]) -> None:
        super().__init__()
        self.waiting = list(samples)
        self.acknowledged: list[Sample] = []
        self._radrelay = radrelay
        self._deadline = time.monotonic() + 180

    def run(self) -> None:
        while self.waiting and time.monotonic() < self._deadline:
            self._associate()
            gc.collect()
            time.sleep(0.3)

    def _associate(self) -> None:
        ae = AE("SENDER")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
        for sop_class in {str(dcmread(item.path, stop_before_pixels=True).SOPClassUID) for item in self.waiting}:
            ae.add_requested_context(sop_class, EXPLICIT)
        association = ae.associate("127.0.0.1", self._radrelay.dicom_port)
        while association.is_established and self.waiting:
            try:
                answer = association.send_c_store(dcmread(self.waiting[0].path))
            except (RuntimeError, ValueError, OSError):
                break
            if getattr(answer, "Status", None) != 0:
                break
            self.acknowledged.append(self.waiting.pop(0))
        if association.is_established:
            association.release()


def uploads(radrelay: Installation, samples: list[Sample], acknowledged: list[Sample]) -> None:
    """Upload one after another by STOW-RS, again until each is acknowledged."""

    def taken(item: Sample) -> bool:
        with radrelay.http() as http:
            headers = {"Content-Type": "application/dicom"}
            answer = http.post("/dicom-web/studies", content=item.path.read_bytes(), headers=headers)
            return answer.status_code == 200

    for item in samples:
        until(lambda item=item: taken(item), "an upload to be taken", 180)  # type: ignore[misc]
        acknowledged.append(item)


def rounds(radrelay: Installation, folder: Path, kills: list[str], dice: random.Random) -> None:
    """Send by two doors while roles are killed; compare what is there with what was acknowledged."""
    seed = dice.randrange(1000, 10_000)
    pushed = [item for n in range(3) for item in phantom_files(folder, "ct-head", seed=seed + n, slices=25, size=96)]
    given = phantom_files(folder, "mr-head", seed=seed + 7, slices=10, size=96)
    sender = Sender(radrelay, pushed)
    taken: list[Sample] = []
    uploader = threading.Thread(target=uploads, args=(radrelay, given, taken))
    sender.start()
    uploader.start()
    for role in kills:
        time.sleep(dice.uniform(0.2, 1.5))
        radrelay.kill(role)
    sender.join()
    uploader.join()
    acknowledged = [*sender.acknowledged, *taken]
    assert sender.waiting == []
    assert len(acknowledged) == len(pushed) + len(given)
    radrelay.wait_ready()
    for study, count in Counter(item.study for item in acknowledged).items():
        radrelay.wait_study(study, count, 180)
    found = Counter(radrelay.instance_uids())
    assert {item.sop: found[item.sop] for item in acknowledged if found[item.sop] != 1} == {}
    for item in dice.sample(acknowledged, 10):
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
    assert radrelay.get("/api/quarantine")["quarantined"] == []


def test_every_role_is_killed_while_objects_come_in(radrelay: Installation, tmp_path: Path) -> None:
    radrelay.http().close()
    rounds(radrelay, tmp_path, ["work", "listen", "web"], random.Random(1))


def test_all_is_whole_by_the_doctor_afterwards(radrelay: Installation) -> None:
    told = radrelay.command("doctor", "--verify", check=False).stdout
    assert "bad" not in told, told
    assert "byte for byte" in told


def test_supervisor_killed_and_started_again(tmp_path: Path) -> None:
    """The roles outlive a killed supervisor; a new one must come up beside or after them."""
    radrelay = Installation(tmp_path / "radrelay", fresh=True)
    try:
        radrelay.start()
        samples = phantom_files(tmp_path / "files", "ct-head", seed=91, slices=5)
        sender = Sender(radrelay, samples)
        sender.start()
        sender.join()
        for role in ("listen", "web", "work"):
            radrelay.kill(role)
        process = radrelay.process
        assert process is not None
        process.kill()
        process.wait()
        try:
            until(lambda: not listening(radrelay), "the old roles to end", 20)
        except InVain:
            pytest.fail("roles outlive their killed supervisor and hold the ports")
        radrelay.start()
        radrelay.wait_study(samples[0].study, len(samples))
    finally:
        radrelay.stop()


def listening(radrelay: Installation) -> bool:
    for port in (radrelay.web_port, radrelay.dicom_port):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
    return False


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_rounds_of_kills(radrelay: Installation, tmp_path: Path) -> None:
    radrelay.http().close()
    dice = random.Random()
    for number in range(20):
        kills = dice.choices(["work", "listen", "web"], k=3)
        rounds(radrelay, tmp_path / str(number), kills, dice)
