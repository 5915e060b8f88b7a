"""What Radrelay is shipped with: no part under the GPL, and a bill and an audit that say what is so."""

from __future__ import annotations

import re
import runpy
import sys
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PARTS = runpy.run_path(str(ROOT / "scripts" / "parts.py"))
TAKEN = {
    "MIT", "MIT License", "MIT-0", "MIT-CMU", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0",
    "Apache Software License", "Apache License 2.0", "ISC", "ISC License (ISCL)", "PSF-2.0", "Zlib", "CC0-1.0",
    "3-Clause BSD License", "Unlicense", "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)",
}  # fmt: skip
LOOKED_UP = {  # whose metadata do not say it, or in words: what was found by hand
    "sqlcipher3": set(),  # zlib; SQLCipher BSD-3-Clause
    "pypdfium2": {"BSD-3-Clause, Apache-2.0, dependency licenses"},  # PDFium's, none of them GPL but with exceptions
}
LGPL = {"LGPL-3.0-only", "LGPL-3.0-or-later", "LGPLv3", "GNU Lesser General Public License v3 (LGPLv3)"}
LIBRARIES_LGPL = {"psycopg", "psycopg-binary", "pi-heif"}  # used unmodified, as libraries that can be replaced
GPL_LIBRARIES = {
    "libx264", "libx265", "libxvidcore", "liblzo2", "libreadline", "libgdbm", "libfftw3", "libfftw3f", "libgsl",
    "libpoppler", "libmupdf", "libgrokj2k", "libpostproc", "libcdio", "libgmp", "libde265-gpl",
}  # fmt: skip


def named(one: Distribution) -> set[str]:
    """Return each licence that a distribution names; those of an expression (SPDX) by themselves."""
    found: set[str] = PARTS["licences"](one)
    return {part.strip(" ()") if " OR " in text or " AND " in text else text
            for text in found for part in re.split(r" AND | OR ", text)}  # fmt: skip


def test_no_shipped_part_is_under_the_gpl() -> None:
    shipped = PARTS["shipped"](sys.path)
    assert len(shipped) > 50
    assert {"pi-heif", "sqlalchemy", "highdicom"} <= shipped.keys()
    strange = {
        name: named(one) - TAKEN - (LGPL if name in LIBRARIES_LGPL else set()) - LOOKED_UP.get(name, set())
        for name, one in shipped.items()
    }
    assert {name: found for name, found in strange.items() if found} == {}
    assert [name for name, one in shipped.items() if not named(one) and name not in LOOKED_UP] == []


def test_no_wheel_brings_a_library_under_the_gpl() -> None:
    brought = {name: PARTS["libraries"](one) for name, one in PARTS["shipped"](sys.path).items()}
    assert {name: found & GPL_LIBRARIES for name, found in brought.items() if found & GPL_LIBRARIES} == {}


def test_the_packages_that_the_pages_are_built_from_are_named() -> None:
    assert PARTS["imported"]() == {"svelte", "@cornerstonejs/codec-openjph", "qr"}


def component(name: str, ref: str) -> dict[str, Any]:
    return {"name": name, "bom-ref": ref, "type": "library"}


def test_a_bill_names_what_is_shipped_and_no_tool() -> None:
    python = {
        "metadata": {"component": {"name": "radrelay", "bom-ref": "root", "version": "1"}},
        "components": [component("SQLAlchemy", "s"), component("typing_extensions", "t"), component("pytest", "p")],
        "dependencies": [{"ref": "root", "dependsOn": ["s"]}, {"ref": "s", "dependsOn": ["t", "p"]}, {"ref": "p"}],
    }
    npm = {
        "components": [component("svelte", "svelte@5"), component("clsx", "clsx@2"), component("vitest", "vitest@5")],
        "dependencies": [{"ref": "svelte@5", "dependsOn": ["clsx@2"]}],
    }
    bill = PARTS["joined"](python, {"sqlalchemy", "typing-extensions"}, npm, {"svelte"})
    assert [one["bom-ref"] for one in bill["components"]] == ["clsx@2", "s", "svelte@5", "t"]
    graph = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert graph == {"root": ["s", "svelte@5"], "s": ["t"], "t": [], "svelte@5": ["clsx@2"], "clsx@2": []}
    with pytest.raises(RuntimeError, match="greenlet"):
        PARTS["joined"](python, {"greenlet"}, npm, {"svelte"})


def test_an_audit_that_nobody_answered_is_no_clean_one() -> None:
    report = {
        "dependencies": [
            {"name": "good", "version": "1", "vulns": []},
            {"name": "weak", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]},
            {"name": "strange", "skip_reason": "Dependency not found on PyPI"},
        ]
    }
    assert PARTS["judged_python"](report) == (["weak 2: PYSEC-1 (fixed in 3)"], ["strange"])
    assert PARTS["judged_npm"]({"error": {"summary": ""}}) == ([], ["all packages of the front end"])
    assert PARTS["judged_npm"]({"vulnerabilities": {}}) == ([], [])
    known = {"vulnerabilities": {"vite": {"range": "<8", "severity": "high"}}}
    assert PARTS["judged_npm"](known) == (["vite <8: high"], [])
