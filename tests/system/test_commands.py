"""The commands of an operator, the health pages, and each role running alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.backends import SERVERS, chosen
from tests.proving import log_in
from tests.started import Started
from tests.system.installation import Installation, tool, until
from tests.system.samples import Sample, data_set_of, phantom_files


def send(radrelay: Installation, folder: Path, seed: int) -> list[Sample]:
    samples = phantom_files(folder, "ct-head", seed=seed, slices=2)
    tool("storescu", "localhost", radrelay.dicom_port, *[item.path for item in samples])
    radrelay.wait_study(samples[0].study, len(samples))
    return samples


def test_greeting_tells_addresses_and_a_password_that_works_once(radrelay: Installation) -> None:
    told = until(lambda: radrelay.output if "password" in radrelay.output else "", "the greeting")
    assert f"{radrelay.base}/" in told
    assert f"RADRELAY at 127.0.0.1:{radrelay.dicom_port}" in told
    password = told.split("password", 1)[1].split()[0]
    with httpx2.Client(base_url=radrelay.base, trust_env=False) as http:
        answer = log_in(http, "admin", password)
        assert answer.status_code == 200, answer.text
        assert answer.json()["account"]["must_change_password"]
        assert http.get("/api/studies").status_code == 403


def test_config_show_explains_each_setting_with_its_origin(radrelay: Installation) -> None:
    told = radrelay.command("config", "show").stdout
    assert "RADRELAY_WEB__PORT" in told
    assert str(radrelay.web_port) in told
    assert "largest single upload taken" in told
    assert "default" in told
    lines = {line.split("\t")[0]: line.split("\t") for line in told.splitlines()}
    assert all(len(line) == 4 for line in lines.values()), "one setting a line, and none is cut"
    assert lines["web.port"][1:3] == [str(radrelay.web_port), "RADRELAY_WEB__PORT"]


def test_unknown_setting_is_named(radrelay: Installation) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "radrelay", "config", "show"],
        env={**radrelay.environment(), "RADRELAY_WEB__PORT": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "RADRELAY_WEB__PORT" in done.stderr


def test_doctor_finds_nothing_bad(radrelay: Installation, tmp_path: Path) -> None:
    send(radrelay, tmp_path, 301)
    done = radrelay.command("doctor", "--verify")
    assert "bad" not in done.stdout
    for word in ("keys", "database", "storage", "codec HTJ2K", "clock", "disk", "byte for byte"):
        assert word in done.stdout


def test_added_person_logs_in(radrelay: Installation) -> None:
    radrelay.command("user", "add", "weiss", "--password-stdin", stdin="ein langes Kennwort 1!\n")
    with httpx2.Client(base_url=radrelay.base, trust_env=False) as http:
        wrong = log_in(http, "weiss", "falsch")
        assert wrong.status_code == 401
        right = log_in(http, "weiss", "ein langes Kennwort 1!")
        assert right.status_code == 200, right.text
        assert http.get("/api/studies").status_code == 200
        assert http.get("/api/audit").status_code == 403
    refused = radrelay.command("user", "add", "weiss", check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_token_of_a_user_administers_nothing(radrelay: Installation) -> None:
    token = radrelay.command("token", "add", "reader", "--role", "user", "--days", "1").stdout.strip()
    with radrelay.http(token) as http:
        assert http.get("/api/studies").status_code == 200
        assert http.get("/api/audit").status_code == 403
        assert http.post("/api/destinations", json={}).status_code in (403, 422)
    with radrelay.http("rr_wrong") as http:
        assert http.get("/api/studies").status_code == 401


def rotated(version: int, before: int) -> str:
    """Return what a rotation says; on PostgreSQL other machines may need the older keys."""
    kept = "older versions are kept on PostgreSQL" if chosen() == SERVERS else f"older versions destroyed: {before}"
    return f"version {version}; {kept}"


def test_keys_rotate_while_running(radrelay: Installation, tmp_path: Path) -> None:
    before = send(radrelay, tmp_path / "before", 302)
    until(radrelay.packs, "a pack")
    assert rotated(2, 1) in radrelay.command("keys", "rotate").stdout
    after = send(radrelay, tmp_path / "after", 303)
    assert rotated(3, 2) in radrelay.command("keys", "rotate", "--master").stdout
    for item in [*before, *after]:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
    radrelay.stop()
    radrelay.start()
    for item in [*before, *after]:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set


def test_health_readiness_and_metrics(radrelay: Installation) -> None:
    with httpx2.Client(base_url=radrelay.base, trust_env=False) as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        ready = http.get("/readyz")
        assert ready.status_code == 200
        assert {part["name"] for part in ready.json()["parts"]} == {"database", "storage", "keys"}
        metrics = http.get("/metrics")
        assert metrics.status_code == 200
        assert "radrelay_" in metrics.text
        assert http.get("/api/docs").status_code in (200, 401)


def test_logs_hold_no_patient(radrelay: Installation, tmp_path: Path) -> None:
    samples = send(radrelay, tmp_path, 304)
    listed = radrelay.study(samples[0].study)
    assert listed is not None
    radrelay.get(f"/api/studies/{listed['id']}")
    radrelay.object(samples[0].study, samples[0].series, samples[0].sop)
    text = radrelay.output + "".join(path.read_text() for path in (radrelay.data_dir / "log").glob("*.log"))
    assert "association accepted" in text
    for secret in (listed["patient"]["name"].split("^", maxsplit=1)[0], listed["patient"]["id"], samples[0].study):
        assert secret not in text


def test_nothing_readable_lies_on_the_disk(radrelay: Installation, tmp_path: Path) -> None:
    samples = send(radrelay, tmp_path, 305)
    listed = radrelay.study(samples[0].study)
    assert listed is not None
    words = [listed["patient"]["id"].encode(), samples[0].study.encode(), b"DICM"]
    for path in radrelay.data_dir.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert [word for word in words if word in content] == [], path
    modes = {path.name: path.stat().st_mode & 0o077 for path in (radrelay.data_dir, radrelay.data_dir / "keys")}
    assert set(modes.values()) == {0}


def test_roles_run_alone(tmp_path: Path) -> None:
    radrelay = Installation(tmp_path / "radrelay", fresh=True)
    started: list[Started | subprocess.Popen[bytes]] = []
    try:
        for role in ("listen", "web", "work"):
            radrelay.start(role)
            assert radrelay.process is not None
            started.append(radrelay.process)
        radrelay.wait_ready()
        send(radrelay, tmp_path / "files", 306)
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in started]
        radrelay.process = None
    assert codes == [0, 0, 0]
