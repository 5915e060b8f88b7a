#!/usr/bin/env python3
"""What Radrelay is shipped with: a bill of materials, an audit for known weaknesses, and whose licences they are.

`sbom` writes dist/radrelay-<version>.cdx.json (CycloneDX 1.6); `audit` asks the advisory services of PyPI (OSV's data)
and npm. Both are done by kept-up tools (cyclonedx-bom, pip-audit, npm) in a virtual environment of their own,
var/tools, so that nothing is added to the one that runs. Parts are the distributions that `radrelay` asks for, with
what these ask for, as installed; and the packages that the front end's sources import, with what these depend on.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "frontend"
TOOLS = ROOT / "var" / "tools"
WANTED = ("cyclonedx-bom>=7.5,<8", "pip-audit>=2.10,<3")
SERVED = ("app", "share", "viewer")
NOT_ASKED = 3
IMPORTED = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']((?:@[a-z][\w.-]*/)?[a-z][\w.-]*)(?:/[^"']*)?["']""")

Bom = dict[str, Any]


class PartMissing(RuntimeError):
    """A part that Radrelay asks for is not installed."""


# What is shipped


def shipped(places: Sequence[str]) -> dict[str, Distribution]:
    """Return the distributions in `places` (as in `sys.path`) that Radrelay needs to run, by their folded names.

    What is asked for stands in pyproject.toml. An extra that is not installed is left out with all that it asks for;
    anything else that is missing raises `PartMissing`.
    """
    from packaging.requirements import Requirement  # noqa: PLC0415 -- of the tools, and of the tests

    there = {folded(one.name): one for one in reversed(list(distributions(path=list(places))))}
    found: dict[str, Distribution] = {}

    def walk(text: str, of_it: tuple[str, ...], *, optional: bool) -> None:
        asked = Requirement(text)
        always = asked.marker is None or asked.marker.evaluate({"extra": ""})
        if not always and not any(asked.marker is not None and asked.marker.evaluate({"extra": x}) for x in of_it):
            return
        name = folded(asked.name)
        one = there.get(name)
        if one is None:
            if optional:
                return
            raise PartMissing(f"{asked.name} is not installed; run `make install` first")
        if name not in found or asked.extras:
            found[name] = one
            for each in one.requires or ():
                walk(each, tuple(asked.extras), optional=optional)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for text in project["dependencies"]:
        walk(text, (), optional=False)
    for texts in project["optional-dependencies"].values():
        for text in texts:
            walk(text, (), optional=True)
    return found


def folded(name: str) -> str:
    """Return a distribution's name as it is compared (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licences(one: Distribution) -> set[str]:
    """Return what a distribution says of its licence: the expression, else the classifiers, else the field."""
    (expression,) = one.metadata.get_all("License-Expression") or [""]
    if expression:
        return {expression}
    named = {text.rpartition(" :: ")[2] for text in one.metadata.get_all("Classifier") or () if "License ::" in text}
    (field,) = [text.strip().partition("\n")[0] for text in one.metadata.get_all("License") or [""]]
    return named or ({field} if field else set())


def libraries(one: Distribution) -> set[str]:
    """Return the names of the shared libraries that a wheel brings along (auditwheel puts them into `*.libs`)."""
    found = set()
    for file in one.files or ():
        if file.parts[0].endswith(".libs") or ".dylibs" in file.parts:
            found.add(re.split(r"[-.]", file.name)[0])
    return found


def imported(root: Path = FRONTEND) -> set[str]:
    """Return the npm packages that the sources of the front end import and ship."""
    found: set[str] = set()
    for folder in SERVED:
        for path in (root / folder).rglob("*"):
            if path.suffix in (".ts", ".svelte") and ".test." not in path.name:
                found |= set(IMPORTED.findall(path.read_text("utf-8")))
    served: dict[str, str] = json.loads((root / "package.json").read_text("utf-8"))["dependencies"]
    return found & served.keys()


# The bill of materials


def reached(bom: Bom, roots: Iterable[str]) -> set[str]:
    """Return the references that `roots` lead to in a bill's graph, themselves among them."""
    graph = {one["ref"]: one.get("dependsOn", []) for one in bom.get("dependencies", [])}
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        ref = waiting.pop()
        if ref not in found:
            found.add(ref)
            waiting += graph.get(ref, [])
    return found


def joined(python: Bom, wanted: set[str], npm: Bom, front: set[str]) -> Bom:
    """Return one bill: of Python's the `wanted` names, of npm's the packages `front` with what they depend on."""
    root = python["metadata"]["component"]["bom-ref"]
    parts = [one for one in python["components"] if folded(one["name"]) in wanted]
    missing = wanted - {folded(one["name"]) for one in parts}
    named = {
        (f"{one['group']}/" if one.get("group") else "") + one["name"]: one["bom-ref"] for one in npm["components"]
    }
    missing |= front - named.keys()
    if missing:
        raise PartMissing(f"the tools do not list {', '.join(sorted(missing))}")
    built_in = reached(npm, [named[name] for name in front])
    parts += [one for one in npm["components"] if one["bom-ref"] in built_in]
    kept = {one["bom-ref"] for one in parts} | {root}
    graph = {
        one["ref"]: set(one.get("dependsOn", [])) & kept for one in [*python["dependencies"], *npm["dependencies"]]
    }
    graph[root] = graph.get(root, set()) | {named[name] for name in front}
    return {
        **python,
        "components": sorted(parts, key=lambda one: str(one["bom-ref"])),
        "dependencies": [{"ref": ref, "dependsOn": sorted(graph.get(ref, ()))} for ref in sorted(kept)],
    }


def write_sbom() -> Path:
    """Write the bill of materials and return where it is."""
    python = _json([*_tool("cyclonedx-py"), "environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml"),
                    "--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON"])  # fmt: skip
    node = runpy.run_path(str(FRONTEND / "bundle.py"))["find_node"]()
    npm = _json([*node.npm, "sbom", "--sbom-format", "cyclonedx", "--package-lock-only"], FRONTEND)
    wanted = set(_shipped_by_tools())
    bom = joined(python, wanted, npm, imported())
    out = ROOT / "dist" / f"radrelay-{bom['metadata']['component']['version']}.cdx.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n", "utf-8")
    subprocess.run([*_tool("python"), __file__, "check", str(out)], check=True)
    print(f"{out.relative_to(ROOT)}: {len(bom['components'])} parts")
    return out


def check(path: Path) -> None:
    """Raise `SystemExit` for a file that is not CycloneDX 1.6; runs in the environment of the tools."""
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 -- one of the tools
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text("utf-8"))
    if fault is not None:
        raise SystemExit(f"{path} is not CycloneDX 1.6: {fault}")


# The audit


def judged_python(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return of pip-audit's report what is weak, a line each, and the parts that nothing was learnt of.

    A part that its service does not know is skipped, and pip-audit ends as if all were well: such an answer, as a
    mirror gives it for everything, is none.
    """
    weak, unknown = [], []
    for one in report["dependencies"]:
        if "skip_reason" in one:
            unknown.append(str(one["name"]))
        for each in one.get("vulns", ()):
            fixed = ", ".join(each.get("fix_versions", ())) or "nothing yet"
            weak.append(f"{one['name']} {one['version']}: {each['id']} (fixed in {fixed})")
    return weak, unknown


def judged_npm(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the same of `npm audit --json`, which says `error` where its service was not reached."""
    if "vulnerabilities" not in report:
        return [], ["all packages of the front end"]
    return [f"{name} {one['range']}: {one['severity']}" for name, one in sorted(report["vulnerabilities"].items())], []


def audit() -> int:
    """Ask both services, say what they said, and return an exit status: 1 something is weak, 3 not all was asked."""
    wanted = _shipped_by_tools()
    listed = TOOLS / "shipped.txt"
    listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(wanted.items())), "utf-8")
    said = _tried([*_tool("pip-audit"), "-r", str(listed), "--no-deps", "--disable-pip", "--format", "json",
                   "--progress-spinner", "off"])  # fmt: skip
    everything = sorted(wanted)
    weak, unknown = judged_python(said) if "dependencies" in said else ([], everything)
    node = runpy.run_path(str(FRONTEND / "bundle.py"))["find_node"]()
    weak_front, unknown_front = judged_npm(_tried([*node.npm, "audit", "--omit=dev", "--json"], FRONTEND))
    for line in weak + weak_front:
        print(f"WEAK      {line}")
    for name in unknown + unknown_front:
        print(f"NOT ASKED {name}")
    if weak or weak_front:
        return 1
    if unknown or unknown_front:
        print("The advisory services were not reached, or do not know these parts: this is no clean result.")
        return NOT_ASKED
    print(f"Nothing is known against {len(everything)} distributions and the packages of the front end.")
    return 0


# How the tools are run


def _tool(name: str) -> list[str]:
    """Return the words that run a tool, installed first if need be."""
    program = TOOLS / "bin" / name
    if not program.exists():
        if not (TOOLS / "bin" / "python").exists():
            venv.create(TOOLS, with_pip=True)
        command = [str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", *WANTED]
        subprocess.run(command, check=True)
    return [str(program)]


def _shipped_by_tools() -> dict[str, str]:
    """Return names and versions of what is shipped, read by the tools' interpreter, which has `packaging`."""
    _tool("cyclonedx-py")
    return {
        name: str(version)
        for name, version in _json([*_tool("python"), __file__, "list", sysconfig.get_path("purelib")]).items()
    }


def _json(command: list[str], folder: Path = ROOT) -> Any:
    return json.loads(subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout)


def _tried(command: list[str], folder: Path = ROOT) -> dict[str, Any]:
    """Return what a tool said as JSON, whatever its exit status; nothing where it said none."""
    said = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE).stdout
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sbom", "audit", "list", "check"))
    parser.add_argument("path", nargs="?", type=Path, help="site-packages for `list`, a bill for `check`")
    given = parser.parse_args()
    if given.what == "sbom":
        write_sbom()
    elif given.what == "audit":
        sys.exit(audit())
    elif given.what == "check":
        check(given.path)
    else:
        print(json.dumps({name: one.version for name, one in shipped([str(given.path)]).items()}))


if __name__ == "__main__":
    main()
