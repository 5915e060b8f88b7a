"""`radrelay directory`: from nothing to people who can log in, as an administrator types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.backends import environment_for
from tests.slapd import Branch, Slapd


def _radrelay(data_dir: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RADRELAY_")}
    own = environment_for(data_dir) | {"RADRELAY_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "radrelay", "directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept | own | environment)


def test_check_preview_and_a_confirmed_sync(server: Slapd, branch: Branch, tmp_path: Path) -> None:
    dn = branch.person("anna", displayName="Anna Müller")
    branch.group("ct", [dn])
    environment = server.environment(branch.dn, groups={"ct": "Radiology", "none": "None"})
    environment["RADRELAY_DIRECTORY__URLS"] = f'["{server.ldaps}"]'
    checked = _radrelay(tmp_path / "data", environment, "check")
    assert checked.returncode == 0, checked.stderr
    assert "1 people (0 suspended), 1 groups" in checked.stdout
    assert "group ct: 1 people\ngroup none: group-unknown" in checked.stdout
    environment |= {"RADRELAY_DIRECTORY__GROUPS": '{"ct": "Radiology"}'}
    preview = _radrelay(tmp_path / "data", environment, "preview")
    assert "1 accounts would be added\n    anna (Anna Müller, user)" in preview.stdout
    found = re.search(r"radrelay directory sync --confirm ([0-9a-f]{16})", preview.stdout)
    assert found is not None
    asks = _radrelay(tmp_path / "data", environment, "sync")
    assert (asks.returncode, "doubt: first-run" in asks.stdout) == (1, True)
    done = _radrelay(tmp_path / "data", environment, "sync", "--confirm", found[1])
    assert (done.returncode, "1 accounts added" in done.stdout) == (0, True)
    environment |= {"RADRELAY_DIRECTORY__URLS": '["ldaps://127.0.0.1:1"]'}
    gone = _radrelay(tmp_path / "data", environment, "sync")
    assert (gone.returncode, "Connection refused" in gone.stdout) == (1, True)
    none = _radrelay(tmp_path / "data", {}, "check")
    assert (none.returncode, none.stderr) == (1, "radrelay: No directory is set (RADRELAY_DIRECTORY__URLS).\n")
