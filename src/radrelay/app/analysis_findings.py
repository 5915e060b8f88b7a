"""What `radrelay doctor` says of external analyses: how far the kernel of this machine holds them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping

from radrelay.analysis.kinds import described
from radrelay.app.findings import Finding
from radrelay.confinement import launcher
from radrelay.settings import Settings

LONGEST_S = 20.0
LACKS = {
    "network": "the network is open to them",
    "processes": "they see other processes, and what they leave behind goes on",
    "mounts": "they share /dev/shm",
    "landlock": "they read and write whatever Radrelay's user may",
}


def analysis_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what holds the programs that are added here; nothing where there are none."""
    kinds = [one.name for one in described(settings.analysis.folder) if not one.built_in]
    if not kinds:
        return
    held = subprocess.run(  # noqa: S603 -- our own
        [sys.executable, "-I", "-S", str(launcher.__file__)], capture_output=True, timeout=LONGEST_S, check=True
    )
    yield told(json.loads(held.stdout), kinds)


def told(held: Mapping[str, object], kinds: list[str]) -> Finding:
    """Return what is to be known of what `held` says."""
    subject, names = "analyses", ", ".join(kinds)
    lacking = [words for name, words in LACKS.items() if not held[name]]
    as_root = " as root (without its capabilities)" if held["root"] else ""
    if not lacking:
        return Finding(subject, "good", f"external programs ({names}) run{as_root}, held by namespaces and Landlock")
    return Finding(
        subject, "look", f"external programs ({names}) run{as_root} and are held less than they could be: "
        + "; ".join(lacking),
        "allow Radrelay's user namespaces, have a kernel with Landlock, or add no program that you do not trust",
    )  # fmt: skip
