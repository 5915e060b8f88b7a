"""No room on the disk, no database, no S3 for a while; and the main job on PostgreSQL and S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from pydicom import dcmread
from pynetdicom import AE
from sqlalchemy import make_url

from tests.postgres import drop_database, new_database
from tests.system.installation import Installation, keys, running, tool, until
from tests.system.peers import Line, Storescp
from tests.system.samples import Sample, data_set_of, digests, phantom_files, received
from tests.system.stores import S3

NO_ROOM = str(1 << 60)


def statuses(radrelay: Installation, samples: list[Sample]) -> set[int]:
    """Send by C-STORE and return the statuses."""
    ae = AE("SENDER")
    ae.add_requested_context(dcmread(samples[0].path).SOPClassUID, samples[0].transfer_syntax)
    association = ae.associate("127.0.0.1", radrelay.dicom_port)
    assert association.is_established
    found = {association.send_c_store(dcmread(item.path)).Status for item in samples}
    association.release()
    return found


def send(radrelay: Installation, samples: list[Sample]) -> None:
    tool("storescu", "localhost", radrelay.dicom_port, *[item.path for item in samples])


def all_there(radrelay: Installation, samples: list[Sample]) -> None:
    radrelay.wait_study(samples[0].study, len(samples), 180)
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set


def test_full_disk_refuses_by_every_door_and_keeps_nothing_half(tmp_path: Path) -> None:
    settings = {"RADRELAY_STORAGE__MIN_FREE_BYTES": NO_ROOM}
    samples = phantom_files(tmp_path / "files", "ct-head", seed=401)
    with running(tmp_path / "radrelay", settings) as radrelay:
        assert statuses(radrelay, samples) == {0xA700}
        with radrelay.http() as http:
            headers = {"Content-Type": "application/dicom"}
            answer = http.post("/dicom-web/studies", content=samples[0].path.read_bytes(), headers=headers)
            assert answer.status_code == 507, answer.text
            number = http.post("/api/parcels", json={"name": "full"}).json()["id"]
            answer = http.put(
                f"/api/parcels/{number}/files", params={"name": "a.dcm"}, content=samples[0].path.read_bytes()
            )
            assert answer.status_code == 507
            assert answer.json()["code"] == "disk-full"
        refused = radrelay.command("import", str(tmp_path / "files"), check=False)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
        assert radrelay.studies() == []
        assert "bad" in radrelay.command("doctor", check=False).stdout
        radrelay.stop()
        del radrelay.settings["RADRELAY_STORAGE__MIN_FREE_BYTES"]
        radrelay.start()
        assert radrelay.studies() == []
        assert radrelay.instance_uids() == []
        send(radrelay, samples)
        all_there(radrelay, samples)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[str]:
    url = new_database(postgres_url)
    yield url
    drop_database(url)


def test_main_job_on_postgresql_and_s3(tmp_path: Path, postgres: str, s3: S3, receiver: Storescp) -> None:
    with running(tmp_path / "radrelay", {**s3.settings, "RADRELAY_DATABASE__URL": postgres}) as radrelay:
        samples = phantom_files(tmp_path / "files", "ct-head", seed=411, slices=6)
        send(radrelay, samples)
        all_there(radrelay, samples)
        until(lambda: s3.packs() >= 1, "a pack in the bucket")
        all_there(radrelay, samples)
        assert [row["study_uid"] for row in radrelay.studies(name="*")] == [samples[0].study]
        wanted = {"name": "R", "ae_title": "RECEIVER", "host": "127.0.0.1", "port": receiver.port}
        destination = radrelay.send("POST", "/api/destinations", wanted)
        listed = radrelay.study(samples[0].study)
        assert listed is not None
        asked = radrelay.send(
            "POST", "/api/deliveries", {"study_id": listed["id"], "destination_id": destination["id"]}
        )
        until(lambda: radrelay.get(f"/api/deliveries/{asked['id']}")["state"] == "done", "the delivery")
        assert received(receiver.folder) == digests(item.data_set for item in samples)
        (tmp_path / "find").mkdir()
        tool(
            "findscu", "-S", "-X", "-od", tmp_path / "find",
            *keys("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={samples[0].study}"), "localhost", radrelay.dicom_port,
        )  # fmt: skip
        assert len(list((tmp_path / "find").iterdir())) == 1
        assert "bad" not in radrelay.command("doctor", "--verify", check=False).stdout
        radrelay.send("DELETE", f"/api/studies/{listed['id']}")
        until(lambda: s3.packs() == 0, "the pack to be gone from the bucket")
        assert radrelay.studies() == []


@pytest.mark.soak
def test_s3_gone_for_a_while(tmp_path: Path, s3: S3) -> None:
    with running(tmp_path / "radrelay", s3.settings) as radrelay:
        first = phantom_files(tmp_path / "first", "ct-head", seed=421)
        send(radrelay, first)
        radrelay.wait_study(first[0].study, len(first))
        until(lambda: s3.packs() == 1, "a pack in the bucket")
        s3.line.cut()
        second = phantom_files(tmp_path / "second", "mr-head", seed=422, slices=2)
        send(radrelay, second)
        all_there(radrelay, second)
        with radrelay.http() as http:
            answer = http.get(f"/dicom-web/studies/{first[0].study}/series/{first[0].series}/instances/{first[0].sop}")
            assert answer.status_code in (200, 503), answer.text[:300]
            assert until(lambda: http.get("/readyz").status_code == 503, "the trouble to be told")
        s3.line.mend()
        until(lambda: httpx2.get(f"{radrelay.base}/readyz", trust_env=False).status_code == 200, "readiness", 120)
        until(lambda: s3.packs() >= 2, "what waited to be packed", 240)
        all_there(radrelay, first)
        all_there(radrelay, second)


@pytest.mark.soak
def test_database_gone_for_a_while(tmp_path: Path, postgres: str) -> None:
    """Receiving goes on without the database; the list follows once it is back."""
    address = make_url(postgres)
    with Line(("127.0.0.1", int(address.port or 5432))) as line:
        url = address.set(port=line.port).render_as_string(hide_password=False)
        with running(tmp_path / "radrelay", {"RADRELAY_DATABASE__URL": url}) as radrelay:
            first, second = (phantom_files(tmp_path / str(n), "ct-head", seed=430 + n) for n in (1, 2))
            send(radrelay, first)
            radrelay.wait_study(first[0].study, len(first))
            line.cut()
            with httpx2.Client(base_url=radrelay.base, trust_env=False, timeout=60) as http:
                until(lambda: http.get("/readyz").status_code == 503, "the trouble to be told")
                assert http.get("/healthz").status_code == 200
            assert statuses(radrelay, second) == {0x0000}
            line.mend()
            all_there(radrelay, first)
            all_there(radrelay, second)
            assert sorted(radrelay.instance_uids()) == sorted(item.sop for item in [*first, *second])
