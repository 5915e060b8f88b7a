"""Runs of an external program: what it makes comes back once, into its own study, and what it does wrong stays out."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from radrelay.analysis.errors import OutputInvalid
from radrelay.analysis.folders import Folders
from radrelay.analysis.models import AnalysisRun
from radrelay.analysis.running import written_bytes
from radrelay.analysis.service import FILING
from radrelay.app.held_back import hold_back
from radrelay.archive.models import Holding, Instance
from radrelay.settings import AnalysisSettings
from tests.analysis.lab import Lab, open_lab, until


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with open_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_a_program_s_result_joins_its_study_and_what_it_was_given_is_gone(lab: Lab) -> None:
    run = lab.attempt(lab.start())
    assert run["state"] == "done", run
    assert (run["version"], run["share"], run["has_findings"]) == ("1.2", 1.0, True)
    [series] = run["results"]
    assert series["sop_uids"][0].startswith("2.25.")
    assert series["series_id"]
    assert lab.instances().count(series["sop_uids"][0]) == 1
    findings = lab.root.http.get(f"/api/analysis-runs/{run['id']}/findings").json()
    assert findings["sop_uids"] == series["sop_uids"]
    shown = lab.root.http.get(f"/api/instances/{findings['pictures'][0]}/frames/1/rendered")
    assert (shown.status_code, len(findings["pictures"])) == (200, len(findings["sop_uids"]))
    assert not [one for one in findings["environment"] if one.startswith("RADRELAY_") and "ANALYSIS" not in one]
    assert lab.folders() == []
    with lab.site.database.read() as session:
        holdings = session.scalars(sa.select(Instance.holding_id).distinct()).all()
        assert len(holdings) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Holding)) == 1
    [use] = [one for one in lab.root.http.get("/api/analyses/usage").json() if one["outcome"] == "done"]
    assert (use["kind"], use["version"], use["source"]) == ("copier", "1.2", "Upload")


@pytest.mark.parametrize(
    ("how", "state", "code"),
    [
        ("memory", "failed", "analysis-out-of-memory"),
        ("another", "failed", "analysis-output-of-another"),
        ("rubbish", "failed", "analysis-output-invalid"),
        ("link", "failed", "analysis-output-invalid"),
        ("flood", "failed", "analysis-output-too-large"),
        ("inside", "failed", "analysis-output-too-large"),
        ("nothing", "failed", "analysis-no-output"),
        ("nonsense", "refused", "a b"),
        ("fail", "failed", "analysis-failed"),
        ("refuse", "refused", "perfusion-no-contrast"),
    ],
)
def test_what_goes_wrong_is_told_and_leaves_nothing(lab: Lab, how: str, state: str, code: str) -> None:
    before = lab.instances()
    run = lab.attempt(lab.start(how))
    assert (run["state"], run["reason"]["code"]) == (state, code), run
    assert lab.instances() == before
    assert run["results"] == []
    assert lab.folders() == []


def test_a_program_does_not_get_out_of_its_folder_nor_outlive_its_run(lab: Lab) -> None:
    home = lab.site.settings.analysis.memory_dir.parent
    assert [one for one in (home / "data").rglob("*") if one.is_file()]
    run = lab.attempt(lab.start("leave"))
    assert run["state"] == "done", run
    findings = lab.root.http.get(f"/api/analysis-runs/{run['id']}/findings").json()
    assert findings["tried"] == {
        "write beside": errno.EACCES, "write in the images' folder's folder": errno.EACCES, "read": errno.EACCES,
        "environment": errno.ENOENT, "connect": errno.ENETUNREACH, "share memory": 0, "use its folder": 0,
    }  # fmt: skip
    powers = {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert findings["powers"] == powers, "root's program is root without a capability"
    assert not Path("/dev/shm/left").exists()
    assert lab.at_work() == 0


def test_a_cancelled_run_ends_at_once(lab: Lab) -> None:
    run_id = lab.start("sleep")
    thread = threading.Thread(target=lab.attempt, args=(run_id,))
    thread.start()
    until(lambda: lab.run(run_id)["step"] == "copying")
    assert lab.at_work() > 0
    assert lab.post(f"{run_id}/cancel").status_code == 200
    thread.join(5)
    assert not thread.is_alive()
    until(lambda: lab.at_work() == 0)
    assert lab.run(run_id)["state"] == "cancelled"
    assert lab.folders() == []
    assert lab.post(f"{run_id}/cancel").status_code == 409
    assert lab.post(f"{run_id}/retry").json()["state"] == "waiting"
    assert lab.post(f"{run_id}/cancel").json()["state"] == "cancelled"
    used = [one for one in lab.root.http.get("/api/analyses/usage").json() if one["outcome"] == "cancelled"]
    assert [(one["kind"], one["source"]) for one in used[-2:]] == [("copier", "Upload")] * 2


def test_a_cancel_waits_for_what_an_attempt_is_writing_and_comes_too_late_once_that_files(lab: Lab) -> None:
    run_id, answers = lab.start(), list[int]()
    lab.change(run_id, state="running", attempts=1)
    thread = threading.Thread(target=lambda: answers.append(lab.post(f"{run_id}/cancel").status_code))
    with lab.site.database.write() as session:
        row = session.get_one(AnalysisRun, uuid.UUID(run_id), with_for_update=True)
        row.step = FILING
        session.flush()
        thread.start()
        thread.join(0.2)
    thread.join(10)
    assert answers == [409]
    lab.change(run_id, state="cancelled", step="")


def test_a_run_that_a_crash_cut_off_is_begun_anew_and_its_results_come_once(lab: Lab) -> None:
    run_id = lab.start()
    first = lab.attempt(run_id)
    [made] = first["results"][0]["sop_uids"]
    count = len(lab.instances())
    lab.change(run_id, state="running", finished_at=None)  # as if it had been killed before it said so
    again = lab.attempt(run_id, lab.other_work())
    assert again["state"] == "done"
    assert again["results"] == first["results"]
    lab.change(run_id, state="running", results="", finished_at=None)  # and before it wrote down what was to land
    again = lab.attempt(run_id, lab.other_work())
    assert again["state"] == "done"
    assert again["results"] == first["results"]
    assert len(lab.instances()) == count
    assert lab.instances().count(made) == 1


def test_a_run_that_breaks_off_again_and_again_is_given_up(lab: Lab) -> None:
    run_id = lab.start()
    lab.change(run_id, state="running", attempts=3)
    run = lab.attempt(run_id)
    assert (run["state"], run["reason"]["code"]) == ("failed", "analysis-gave-up")


def test_after_a_restore_an_open_run_waits_for_a_person_and_goes_on_when_it_is_retried(lab: Lab) -> None:
    run_id, before = lab.start(), lab.instances()
    with lab.site.database.write() as session:
        hold_back(session, lab.site.clock.now())
    held = lab.attempt(run_id)
    assert (held["state"], held["reason"]["code"]) == ("failed", "analysis-held-after-restore")
    assert lab.instances() == before
    assert lab.post(f"{run_id}/retry").status_code == 200
    assert lab.attempt(run_id)["state"] == "done"


@pytest.mark.embedded("how the embedded database goes about a statement")
def test_a_run_reads_no_table_of_the_archive_whole(lab: Lab) -> None:
    run_id = lab.start()
    asked: list[tuple[str, Any]] = []
    engine = lab.site.database.engine
    event.listen(engine, "before_cursor_execute", lambda _, __, sql, given, *more: asked.append((sql, given)))
    assert lab.attempt(run_id)["state"] == "done"
    mine = {sql: given for sql, given in asked if sql.startswith("SELECT") and "WHERE" in sql}
    steps: dict[str, list[str]] = {}
    with lab.site.database.read() as session:
        for sql, given in mine.items():
            if not isinstance(given, list):
                told = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)
                steps[sql] = [row[3] for row in told]
    scans = ("SCAN instance", "SCAN series")
    whole = {sql: found for sql, found in steps.items() if any(one in found for one in scans)}
    assert whole == {}
    assert len(steps) > 10


def test_of_one_kind_so_many_run_at_once_on_all_machines(lab: Lab) -> None:
    first, second = lab.start(), lab.start()
    lab.change(first, state="running", machine="another")
    assert lab.attempt(second)["state"] == "waiting"
    with lab.site.database.read() as session:
        assert session.get_one(AnalysisRun, uuid.UUID(second)).next_attempt_at is not None
    assert lab.work.revive({uuid.UUID(first)}) == 0
    for run_id in (first, second):
        assert lab.post(f"{run_id}/cancel").status_code == 200


def test_a_machine_that_is_told_to_stop_leaves_the_run_to_others(lab: Lab) -> None:
    work = lab.other_work()
    run_id = lab.start("sleep")
    thread = threading.Thread(target=lab.attempt, args=(run_id, work))
    thread.start()
    until(lambda: lab.run(run_id)["step"] == "copying")
    work.close()
    thread.join(5)
    assert lab.run(run_id)["state"] == "waiting"
    assert lab.folders() == []
    assert lab.post(f"{run_id}/cancel").status_code == 200


def test_what_is_off_does_not_start_and_a_rerun_names_the_one_before(lab: Lab) -> None:
    first = lab.start("fail")
    lab.attempt(first)
    again = lab.post(f"{first}/rerun", {"parameters": {"how": "copy"}}).json()
    assert again["rerun_of"] == first
    assert again["parameters"]["how"] == "copy"
    assert lab.post(f"{again['id']}/cancel").status_code == 200
    assert lab.post(f"{first}/rerun", {"parameters": {"how": "dance"}}).json()["code"] == "analysis-parameters-invalid"
    body = {"kind": "perfusion"}
    asked = lab.root.http.post(f"/api/studies/{lab.study}/analyses", json=body, headers=lab.root.headers)
    assert (asked.status_code, asked.json()["code"]) == (403, "analysis-off")


def test_a_folder_that_a_program_has_closed_to_its_user_is_removed_with_the_images_in_it(lab: Lab) -> None:
    with TemporaryDirectory() as own:
        os.chmod(own, 0o777)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # whom rights hold
        try:
            settings = lab.site.settings.model_copy(update={"data_dir": Path(own)})
            folders = Folders(settings.model_copy(update={"analysis": AnalysisSettings(memory_dir=Path(own))}))
            with folders.one(uuid.uuid4(), 10, 10, {}) as place:
                (place.images / "a.dcm").write_bytes(b"x")
                place.images.chmod(0o500)
                deep = place.output / "deep"
                deep.mkdir()
                deep.chmod(0o300)
                with pytest.raises(OutputInvalid):
                    written_bytes(place.root)
            assert not place.root.exists()
        finally:
            if root:
                os.seteuid(0)


def test_folders_that_a_crash_left_are_removed_at_the_next_start_and_no_others(lab: Lab) -> None:
    own = lab.work._folders
    with own.one(uuid.uuid4(), 10, 10, {}) as place:
        assert os.stat(place.root).st_mode & 0o777 == 0o700
        left = place.root.with_name(f"{own._prefix}{uuid.uuid4().hex}")
        (left / "in").mkdir(parents=True)
        (left / "in" / "a.dcm").write_bytes(b"x")
        sleepers = [subprocess.Popen(["/bin/sleep", "60"], cwd=one) for one in (left, place.root)]
        lab.other_work()  # a second process of the role, beside the one whose run goes on
        assert sleepers[0].wait(5) == -signal.SIGKILL  # what a program had started
        assert not left.exists()
        assert sleepers[1].poll() is None
        assert place.images.is_dir()
    assert sleepers[1].wait(5) == -signal.SIGKILL
    assert not place.root.exists()
