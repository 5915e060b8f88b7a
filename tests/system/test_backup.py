"""Backup while running, deletion afterwards, the machine lost, restore: what was deleted stays deleted."""

from __future__ import annotations

from pathlib import Path

from tests.backends import BACKENDS
from tests.system.installation import Installation, running, tool, until
from tests.system.samples import Sample, data_set_of, phantom_files


def send(radrelay: Installation, samples: list[Sample]) -> None:
    tool("storescu", "localhost", radrelay.dicom_port, *[item.path for item in samples])
    radrelay.wait_study(samples[0].study, len(samples))


def test_deleted_study_stays_deleted_after_a_restore(tmp_path: Path) -> None:
    settings = {"RADRELAY_KEYS__MIRROR": str(tmp_path / "mirror")}
    target = tmp_path / "backup"
    kept = phantom_files(tmp_path / "kept", "ct-head", seed=71)
    deleted = phantom_files(tmp_path / "deleted", "mr-head", seed=72, slices=2)
    late = phantom_files(tmp_path / "late", "ct-chest", seed=73, slices=2)
    with running(tmp_path / "radrelay", settings) as radrelay:
        send(radrelay, kept)
        send(radrelay, deleted)
        until(radrelay.packs, "a pack")
        send(radrelay, late)
        radrelay.command("backup", str(target))
        assert "whole" in radrelay.command("restore", "--check", str(target)).stdout
        listed = radrelay.study(deleted[0].study)
        assert listed is not None
        radrelay.send("DELETE", f"/api/studies/{listed['id']}")
        until(
            lambda: "0 erased" not in radrelay.command("restore", "--check", str(target)).stdout, "keys to be destroyed"
        )
        radrelay.stop()

        BACKENDS.lose(radrelay.data_dir)
        told = radrelay.command("restore", str(target)).stdout
        assert "restored the state of" in told
        radrelay.start()
        assert radrelay.study(deleted[0].study) is None
        for samples in (kept, late):
            radrelay.wait_study(samples[0].study, len(samples))
            for item in samples:
                assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set
        again = phantom_files(tmp_path / "again", "ct-head", seed=74, slices=1)
        send(radrelay, again)
        assert "bad" not in radrelay.command("doctor", "--verify").stdout


def test_a_second_restore_into_a_filled_installation_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "radrelay", {"RADRELAY_KEYS__MIRROR": str(tmp_path / "mirror")}) as radrelay:
        send(radrelay, phantom_files(tmp_path / "files", "ct-head", seed=75, slices=1))
        radrelay.command("backup", str(tmp_path / "backup"))
        refused = radrelay.command("restore", str(tmp_path / "backup"), check=False)
        assert refused.returncode == 1
        assert "holds no studies" in refused.stderr
