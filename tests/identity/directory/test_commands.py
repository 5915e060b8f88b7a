"""`radrelay directory`: from nothing to people who can log in, as an administrator types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from radrelay.cli import app
from tests.backends import environment_for
from tests.slapd import Branch, Slapd


def test_check_preview_and_a_confirmed_sync(
    server: Slapd, branch: Branch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.group("ct", [branch.person("anna", displayName="Anna Müller")])
    environment = server.environment(branch.dn, groups={"ct": "Radiology"})
    for name, value in {**environment_for(tmp_path / "data"), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RADRELAY_DATA_DIR", str(tmp_path / "data"))

    def radrelay(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["directory", *arguments])
        return done.exit_code, done.stdout

    code, told = radrelay("check")
    assert (code, "1 people (0 suspended), 1 groups\ngroup ct: 1 people" in told) == (0, True), told
    code, told = radrelay("preview")
    assert (code, "1 accounts would be added\n    anna (Anna Müller, user)" in told) == (0, True), told
    found = re.search(r"radrelay directory sync --confirm ([0-9a-f]{16})", told)
    assert found is not None
    code, told = radrelay("sync")
    assert (code, "doubt: first-run 1" in told) == (1, True), told
    code, told = radrelay("sync", "--confirm", found[1])
    assert (code, "1 accounts added" in told, "doubt" in told, "--confirm" in told) == (0, True, False, False), told
