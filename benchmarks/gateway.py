"""The gateway: the same server, with TLS, reached directly and through relay and agent, in turns.

On loopback, and on three hosts (network namespaces) whose lines are shaped to 1 Gbit/s. Beside what is reached, what
one answer takes longer, and what 1,000 connections that are open take of memory in relay and agent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from tests.ports import free_port

from benchmarks import machine
from benchmarks.plan import Plan
from benchmarks.table import OURS, Aim, Line, Rounds, interleaved, line

PART = "gateway"
DIRECT = "direct"
NAME = "pictures.clinic.example"
MOST_S = 30.0
RATE = ("rate", "1gbit", "burst", "256kb", "latency", "20ms")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Way:
    """How the server is reached, and on which hosts its parts run ("" is this machine's own)."""

    folder: Path
    site: str = ""
    dmz: str = ""
    outside: str = ""
    server: str = "127.0.0.1"
    relay: str = "127.0.0.1"
    relay_inside: str = "127.0.0.1"


def run(plan: Plan) -> list[Line]:
    """Measure on loopback, then on shaped lines."""
    lines = []
    with _running(Way(plan.folder / PART / "loopback")) as tunnel:
        rounds = _downloads(plan, tunnel, plan.pick(2000, 200))
        lines += plan.tell([line(PART, "one download, loopback", "MB/s", rounds, Aim(300))])
        lines += plan.tell(_answers(plan, tunnel))
        held = plan.pick(1000, 100)
        memory: Rounds = {OURS: [tunnel.memory_of(held)]}
        what = f"relay and agent with {held:,} open connections"
        lines += plan.tell([line(PART, what, "MiB", memory, Aim(150, below=True), better="lower")])
    with _hosts(plan.folder / PART / "shaped") as way, _running(way) as tunnel:
        rounds = _downloads(plan, tunnel, plan.pick(500, 50))
        lines += plan.tell([line(PART, "one download, lines of 1 Gbit/s", "MB/s", rounds, Aim(0.95, DIRECT))])
    return lines


def _downloads(plan: Plan, tunnel: Tunnel, size: int) -> Rounds:
    def through(_: int) -> float:
        return size / tunnel.get(tunnel.port, size, tunnel.way.relay)

    def directly(_: int) -> float:
        return size / tunnel.get(tunnel.direct, size, tunnel.way.server)

    return interleaved(plan.rounds, {OURS: through, DIRECT: directly})


def _answers(plan: Plan, tunnel: Tunnel) -> list[Line]:
    count = plan.pick(2000, 200)

    def through(_: int) -> float:
        return tunnel.ping(tunnel.port, count)

    def directly(_: int) -> float:
        return tunnel.ping(tunnel.direct, count)

    pings = interleaved(plan.rounds, {OURS: through, DIRECT: directly})
    more: Rounds = {OURS: [ours - theirs for ours, theirs in zip(pings[OURS], pings[DIRECT], strict=True)]}
    return [
        line(PART, "one answer on an open connection, loopback", "ms", pings, better="lower"),
        line(PART, "what that takes longer", "ms", more, Aim(2, below=True), better="lower"),
    ]


class Tunnel:
    """A server, an agent and a relay that run."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.port, self.direct = (free_port(), free_port()) if not way.site else (32000, 8443)
        self.agents_port = free_port() if not way.site else 45000
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, stack: ExitStack) -> None:
        """Start all of it, and wait until it answers."""
        folder = self.way.folder
        (folder / "relay").mkdir(parents=True)
        (folder / "site").mkdir()
        authority = trustme.CA()
        certificate = authority.issue_cert(NAME)
        authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        self._command("relay", "gateway", "site", "clinic", "--host", NAME)
        code = self._command("relay", "gateway", "code", "clinic").strip()
        self._start(stack, "relay", self.way.dmz, ["-m", "radrelay", "gateway"])
        self._until(lambda: "browsers" in (folder / "relay.log").read_text())
        self._command("site", "agent", "enrol", f"{self.way.relay_inside}:{self.agents_port}", code, host=self.way.site)
        door = folder / "site" / "data" / "gateway" / "web.socket"
        ends = [str(folder / name) for name in ("chain.pem", "key.pem")]
        bound = self.way.server
        self._start(
            stack,
            "server",
            self.way.site,
            ["-m", "benchmarks.gateway_peer", "serve", bound, str(self.direct), *ends, str(door)],
        )
        self._start(stack, "agent", self.way.site, ["-m", "radrelay", "agent"])
        self._until(lambda: 'connected": true' in (folder / "agent.log").read_text())

    def get(self, port: int, size: int, host: str = "127.0.0.1") -> float:
        """Return the seconds of a download of `size` megabytes."""
        return float(self._client("get", host, port, size))

    def ping(self, port: int, count: int) -> float:
        """Return the milliseconds of an answer."""
        return float(self._client("ping", "127.0.0.1", port, count))

    def memory_of(self, count: int) -> float:
        """Return what relay and agent have resident while `count` connections are open."""
        words = self._words("hold", "127.0.0.1", self.port, count)
        with subprocess.Popen(
            words, env=self._environment("site"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as held:
            assert held.stdout is not None
            held.stdout.readline()
            resident = sum(machine.memory_mib(self.processes[name].pid) for name in ("relay", "agent"))
            held.communicate(b"\n")
        return resident

    def _client(self, what: str, host: str, port: int, count: int) -> str:
        done = subprocess.run(
            self._words(what, host, port, count),
            env=self._environment("site"),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def _words(self, what: str, host: str, port: int, count: int) -> list[str]:
        words = [
            "-m",
            "benchmarks.gateway_peer",
            what,
            host,
            str(port),
            NAME,
            str(self.way.folder / "authority.pem"),
            str(count),
        ]
        return _at(self.way.outside, [sys.executable, *words])

    def _command(self, side: str, *words: str, host: str = "") -> str:
        command = _at(host, [sys.executable, "-m", "radrelay", *words])
        done = subprocess.run(command, env=self._environment(side), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def _start(self, stack: ExitStack, name: str, host: str, words: Sequence[str]) -> None:
        side = "relay" if name == "relay" else "site"
        with (self.way.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                _at(host, [sys.executable, *words]),
                env=self._environment(side),
                cwd=self.way.folder,
                stdout=log,
                stderr=log,
            )
        self.processes[name] = process
        stack.callback(_end, process)

    def _until(self, question: object) -> None:
        assert callable(question)
        deadline = time.monotonic() + MOST_S
        while not question():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the gateway does not come up; see {self.way.folder}")
            time.sleep(0.05)

    def _environment(self, side: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RADRELAY_")}
        return {
            **kept,
            "PYTHONPATH": ":".join([str(ROOT), str(ROOT / "src")]),
            "RADRELAY_DATA_DIR": str(self.way.folder / side / "data"),
            "RADRELAY_GATEWAY__HOST": "0.0.0.0" if self.way.site else "127.0.0.1",
            "RADRELAY_GATEWAY__AGENTS_PORT": str(self.agents_port),
            "RADRELAY_GATEWAY__PUBLIC_PORT": str(self.port),
            "RADRELAY_GATEWAY__HEALTH_PORT": "0",
            "RADRELAY_GATEWAY__PER_ADDRESS": "5000",
            "RADRELAY_GATEWAY__PER_ADDRESS_RATE": "5000",
            "RADRELAY_GATEWAY__PER_ADDRESS_BURST": "5000",
            "RADRELAY_AGENT__HEALTH_PORT": "0",
            "RADRELAY_NODE__PORT": "0",
        }


@contextmanager
def _running(way: Way) -> Iterator[Tunnel]:
    with ExitStack() as stack:
        tunnel = Tunnel(way)
        tunnel.start(stack)
        yield tunnel


@contextmanager
def _hosts(folder: Path) -> Iterator[Way]:
    """Make site, DMZ and outside, and shape the lines between them at both ends."""
    names = [f"rrb{os.getpid()}{one}" for one in "sdo"]
    site, dmz, outside = names
    try:
        for name in names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        for one, other, net in ((site, dmz, "10.92.1"), (outside, dmz, "10.92.2")):
            ends = ((one, f"{one}a"[-15:], f"{net}.2"), (other, f"{one}b"[-15:], f"{net}.1"))
            _ip("link", "add", ends[0][1], "netns", one, "type", "veth", "peer", "name", ends[1][1], "netns", other)
            for host, device, address in ends:
                _ip("-n", host, "addr", "add", f"{address}/24", "dev", device)
                _ip("-n", host, "link", "set", device, "up")
                subprocess.run(["tc", "-n", host, "qdisc", "add", "dev", device, "root", "tbf", *RATE], check=True)
            _ip("-n", one, "route", "add", "default", "via", f"{net}.1")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"  # the direct way leads through the DMZ, too
        subprocess.run(_at(dmz, ["sh", "-c", forward]), check=True)
        yield Way(folder, site, dmz, outside, "10.92.1.2", "10.92.2.1", "10.92.1.1")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _at(host: str, words: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", host, *words] if host else list(words)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
