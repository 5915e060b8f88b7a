"""Studies fetched from Orthanc: searched, brought by C-MOVE, C-GET and WADO-RS, counted, only what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from tests.system.installation import Installation, running, until
from tests.system.peers import Orthanc, orthanc
from tests.system.samples import Sample, data_set_of, phantom_files


@pytest.fixture(scope="module")
def radrelay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = {"RADRELAY_RETRIEVE__ENABLED": "true", "RADRELAY_RETRIEVE__RETRY_FIRST_S": "0.5"}
    with running(tmp_path_factory.mktemp("fetching"), settings) as made:
        yield made


@pytest.fixture(scope="module")
def pacs(radrelay: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc"), radrelay) as made:
        yield made


@pytest.fixture(scope="module")
def entered(radrelay: Installation, pacs: Orthanc) -> dict[str, str]:
    """Enter Orthanc once for each way of fetching; gives their ids by method."""
    sources = radrelay.get("/api/sources")["sources"]
    source = next(one["id"] for one in sources if one["kind"] == "dicom")
    wanted = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom_port, "source_id": source}
    web = {"name": "PACS by WADO-RS", "kind": "dicomweb", "address": f"http://127.0.0.1:{pacs.web_port}/dicom-web"}
    made = {"web": radrelay.send("POST", "/api/pacs", web | {"source_id": source})["id"]}
    for method in ("move", "get"):
        answer = radrelay.send("POST", "/api/pacs", wanted | {"name": f"PACS by {method}", "method": method})
        made[method] = answer["id"]
    return made


SEEDS = {"move": 61, "get": 62, "web": 63}


def put(pacs: Orthanc, samples: list[Sample]) -> list[Sample]:
    for item in samples:
        pacs.post("/instances", item.path.read_bytes())
    return samples


def fetched(radrelay: Installation, number: str, state: str = "done") -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        listed = radrelay.get("/api/fetches")["fetches"]
        found = next(one for one in listed if one["id"] == number)
        tried = state != "waiting" or found["error"] is not None
        return found if found["state"] == state and tried else None

    found: dict[str, Any] | None = until(ended, f"a fetch to be {state}", 60)
    assert found is not None
    return found


def ask(radrelay: Installation, pacs_id: str, item: Sample, **more: str) -> str:
    order = {"pacs_id": pacs_id, "study_uid": item.study, **more}
    return str(radrelay.send("POST", "/api/fetches", {"fetches": [order]})["fetches"][0]["id"])


@pytest.mark.parametrize("method", ["move", "get", "web"])
def test_study_is_found_fetched_and_whole(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path, method: str
) -> None:
    samples = put(pacs, phantom_files(tmp_path, "ct-head", seed=SEEDS[method], slices=6))
    look = {"pacs": [entered[method]], "study_uid": samples[0].study}
    found = radrelay.send("POST", "/api/pacs/search", look)
    assert [one["error"] for one in found["asked"]] == [None]
    (study,) = found["studies"]
    assert (study["study_uid"], study["here"]) == (samples[0].study, None)
    series = radrelay.send("POST", f"/api/pacs/{entered[method]}/series", {"study_uid": samples[0].study})
    assert (len(series["series"]), series["error"]) == (1, None)
    end = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (end["here"], end["expected"], end["refused"], end["error"]) == (6, 6, 0, None)
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
    (again,) = radrelay.send("POST", "/api/pacs/search", look)["studies"]
    assert (again["here"], again["here_instances"]) == (end["study_id"], 6)


@pytest.mark.parametrize("method", ["move", "get", "web"])
def test_only_what_is_missing_is_fetched(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path, method: str
) -> None:
    samples = phantom_files(tmp_path, "mr-head", seed=SEEDS[method] + 3, slices=5)
    put(pacs, samples[:3])
    first = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (first["here"], first["expected"]) == (3, 3)
    put(pacs, samples[3:])
    second = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (second["here"], second["expected"]) == (len(samples), len(samples))
    nothing = fetched(radrelay, ask(radrelay, entered[method], samples[0]))
    assert (nothing["here"], nothing["attempts"]) == (len(samples), 1)


def test_study_that_is_not_there_and_node_that_is_not_there(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path
) -> None:
    unknown = phantom_files(tmp_path, "ct-head", seed=68, slices=1)[0]
    for method in ("get", "web"):
        end = fetched(radrelay, ask(radrelay, entered[method], unknown), "failed")
        assert end["error"]["code"] == "fetched-nothing"
    dead = radrelay.send("POST", "/api/pacs", {
        "name": "Gone", "ae_title": "GONE", "host": "127.0.0.1", "port": 1,
        "source_id": radrelay.get("/api/pacs")["pacs"][0]["source_id"],
    })  # fmt: skip
    found = radrelay.send("POST", "/api/pacs/search", {"patient_id": "nobody"})
    troubles = {one["pacs"]: one["error"] for one in found["asked"]}
    assert troubles.pop(dead["id"])["code"] == "nobody-listens"
    assert set(troubles.values()) == {None}, "one that is away costs the others nothing"
    waiting = ask(radrelay, dead["id"], unknown)
    assert fetched(radrelay, waiting, "waiting")["error"]["code"] == "nobody-listens"
    assert radrelay.send("POST", f"/api/fetches/{waiting}/cancel")["state"] == "cancelled"


def test_a_schedule_shows_what_it_would_fetch_and_fetches_it(
    radrelay: Installation, pacs: Orthanc, entered: dict[str, str], tmp_path: Path
) -> None:
    samples = put(pacs, phantom_files(tmp_path, "ct-head", seed=66, slices=2))
    day = dcmread(samples[0].path, stop_before_pixels=True).StudyDate
    back = (datetime.now(UTC).date() - datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()).days
    plan = {"name": "Night", "pacs": [entered["get"]], "times": "0 0 1 1 *", "since_days": back + 1,
            "until_days": max(back - 1, 0), "modalities": ["CT"], "at_once": 4}  # fmt: skip
    tried = radrelay.send("POST", "/api/schedules/try", {"plan": plan})
    would = {one["study_uid"] for one in tried["studies"] if not one["left_by"]}
    assert samples[0].study in would, tried
    number = radrelay.send("POST", "/api/schedules", plan)["id"]
    radrelay.send("POST", f"/api/schedules/{number}/runs")

    def ended() -> dict[str, Any] | None:
        (run,) = radrelay.get(f"/api/schedules/{number}/runs")["runs"]
        return run if run["state"] == "done" else None

    run = until(ended, "a schedule's run to end", 120)
    assert run is not None
    assert (run["fetched"], run["failed"], run["left_out"]) == (len(would), 0, {})
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
    again = radrelay.send("POST", "/api/schedules/try", {"plan": plan})["studies"]
    assert {one["left_by"] for one in again if one["study_uid"] in would} == {"here"}


def test_one_radrelay_fetches_from_another_by_dicomweb(
    radrelay: Installation, entered: dict[str, str], tmp_path: Path
) -> None:
    samples = phantom_files(tmp_path, "ct-head", seed=69, slices=4)
    with running(tmp_path / "other") as other:
        parts = b"".join(
            b"--b\r\nContent-Type: application/dicom\r\n\r\n" + item.path.read_bytes() + b"\r\n" for item in samples
        )
        with other.http() as http:
            media = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
            assert http.post("/dicom-web/studies", content=parts + b"--b--\r\n", headers=media).is_success
        other.wait_study(samples[0].study, 4)
        source = next(one["source_id"] for one in radrelay.get("/api/pacs")["pacs"] if one["id"] == entered["web"])
        made = radrelay.send("POST", "/api/pacs", {
            "name": "The other", "kind": "dicomweb", "address": f"{other.base}/dicom-web", "secret": other.token,
            "source_id": source,
        })  # fmt: skip
        assert radrelay.send("POST", f"/api/pacs/{made['id']}/echo")["ok"]
        (study,) = radrelay.send("POST", "/api/pacs/search", {"pacs": [made["id"]], "study_uid": samples[0].study})[
            "studies"
        ]
        assert (study["study_uid"], study["instances"], study["modalities"]) == (samples[0].study, 4, ["CT"])
        end = fetched(radrelay, ask(radrelay, made["id"], samples[0]))
        assert (end["here"], end["expected"], end["error"]) == (4, 4, None)
        for item in samples:
            assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
        radrelay.send("PATCH", f"/api/pacs/{made['id']}", {"secret": "wrong"})
        found = radrelay.send("POST", "/api/pacs/search", {"pacs": [made["id"]], "patient_id": "x"})
        assert found["asked"][0]["error"]["code"] == "web-refused"
