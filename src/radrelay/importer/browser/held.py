"""A Chromium that is held: a process of its own that sees no other, reads programs and fonts alone, and has no network.

It works in a folder of its own, in memory where there is room, that goes with it; what it takes for the network is one
port, answered by `door`. It is nobody on this machine, and Chromium's own sandbox stands within that. A machine that
cannot hold it so closely starts none.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from radrelay import confinement
from radrelay.confinement import folders
from radrelay.confinement.launcher import NOT_HELD, WAY_OUT_PORT
from radrelay.importer.browser.door import Door
from radrelay.importer.browser.pipe import Pipe, Refused
from radrelay.importer.errors import BrowserBusy, BrowserEnded, BrowserMissing, BrowserNotHeld, PageHangs, PortalTrouble
from radrelay.importer.outgoing import Outgoing

log = structlog.get_logger(__name__)

START_S = 30.0
ROOM_BYTES = 4 << 30
WATCH_S, BESIDES_BYTES = 1.0, 512 << 20
KIND = "radrelay-browser"
_LAUNCHER, _TRUSTING = Path(confinement.__file__).with_name("launcher.py"), Path(__file__).with_name("trusting.py")
_VISIBLE = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/proc", "/sys", "/etc/fonts", "/etc/ssl",
    "/etc/ca-certificates", "/etc/pki", "/etc/alternatives", "/etc/chromium", "/etc/chromium.d", "/etc/ld.so.cache",
    "/etc/localtime", "/var/cache/fontconfig",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_COVERED = ("/run", "/tmp", "/var/tmp", "/home", "/root", "/srv", "/mnt", "/media")  # noqa: S108 -- they become empty
_SCRATCH = "/dev/shm"  # noqa: S108 -- a place of its own is put there; the names of sockets in it must be short
_FLAGS = (
    "--headless", "--remote-debugging-pipe", f"--proxy-server=socks5://127.0.0.1:{WAY_OUT_PORT}",
    "--proxy-bypass-list=<-loopback>", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp", "--block-new-web-contents", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-breakpad", "--disable-crash-reporter", "--no-pings", "--disable-gpu", "--mute-audio",
    "--password-store=basic", "--use-mock-keychain", "--renderer-process-limit=4", "--window-size=1280,900",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chromium:
    """The program, and what this installation lets it have. `hidden`: what is kept from it above all. `ca_file`: whom
    it believes besides those that it knows.

    `memory_bytes` is for all of its processes, `besides_bytes` for what it writes besides a parcel, which a script that
    makes one has it write twice.
    """

    program: str
    memory_dir: Path
    disk_dir: Path
    prefix: str
    hidden: tuple[Path, ...]
    memory_bytes: int = 4 << 30
    largest_bytes: int = 16 << 30
    besides_bytes: int = BESIDES_BYTES
    ca_file: Path | None = None
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(2), repr=False)

    def found(self) -> Path:
        """Return where the program is; raises `BrowserMissing`."""
        found = shutil.which(self.program)
        if found is None:
            raise BrowserMissing(f"{self.program} is not found on this machine", program=self.program)
        return Path(found)

    def clean(self) -> int:
        """Remove the folders that earlier processes have left; returns how many."""
        return folders.clean((self.memory_dir, self.disk_dir), self.prefix)

    def start(self, outgoing: Outgoing) -> Held:
        """Start it; raises `BrowserMissing`, `BrowserNotHeld`, `BrowserBusy`."""
        program = self.found()
        if not self.places.acquire(blocking=False):
            raise BrowserBusy
        held = Held(self, program, outgoing)
        held.begin()
        return held

    def root(self) -> Path:
        """Return where a browser works: in memory where there is room."""
        roomy = (
            self.memory_dir.is_dir()
            and shutil.disk_usage(self.memory_dir).free > ROOM_BYTES
            and folders.free_memory() > 2 * ROOM_BYTES
        )
        return (self.memory_dir if roomy else self.disk_dir) / f"{self.prefix}{uuid.uuid4().hex}"


class Held:
    """One browser, from its start to its end. The thread that starts it stays: the kernel ends what outlives that."""

    pipe: Pipe
    door: Door

    def __init__(self, chromium: Chromium, program: Path, outgoing: Outgoing) -> None:
        self._chromium, self._program, self._outgoing = chromium, program, outgoing
        self._over, self._ready = threading.Event(), threading.Event()
        self._trouble: PortalTrouble | None = None
        self.believes = True
        """It believes the authorities that this installation names, if it names some."""
        self.root = chromium.root()
        self._thread = threading.Thread(target=self._live, name="browser", daemon=True)

    @property
    def downloads(self) -> Path:
        """Return where it puts what it downloads."""
        return self.root / "downloads"

    def begin(self) -> None:
        """Start it; raises `BrowserMissing`, `BrowserNotHeld`."""
        self._thread.start()
        self._ready.wait()
        if self._trouble is not None:
            raise self._trouble

    def close(self) -> None:
        """End it with all that it has started, and remove its folder."""
        self._over.set()
        self._thread.join(START_S)

    def _live(self) -> None:
        try:
            with ExitStack() as ending:
                ending.enter_context(folders.folder(self.root))
                for one in ("profile", "downloads"):
                    (self.root / one).mkdir(mode=0o700)
                if self._chromium.ca_file is not None:
                    self.believes = _vouched(self._chromium.ca_file, self.root)
                process = self._start(ending)
                self._ready.set()
                while not self._over.wait(WATCH_S) and self._is_within(process):
                    pass
        except PortalTrouble as trouble:
            self._trouble = trouble
        except OSError as error:
            self._trouble = BrowserMissing(f"no browser could be started: {error.strerror}", program=self._program.name)
        finally:
            self._chromium.places.release()
            self._ready.set()

    def _is_within(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell whether it keeps to what it may have; one that does not is ended."""
        written, memory = folders.bytes_in(self.root), folders.memory_of(process.pid)
        within = (
            written <= 2 * self._chromium.largest_bytes + self._chromium.besides_bytes
            and memory <= self._chromium.memory_bytes
        )
        if not within:
            log.warning("a browser took more than it may and is ended", written=written, memory=memory)
        return within

    def _start(self, ending: ExitStack) -> subprocess.Popen[bytes]:
        hears, to_browser = os.pipe()
        from_browser, says = os.pipe()
        ours, theirs = socket.socketpair()
        given = (hears, says, theirs.fileno())
        with ours:
            try:
                process = self._process(given)
            except BaseException:
                for one in (to_browser, from_browser):
                    os.close(one)
                raise
            finally:
                theirs.close()
                os.close(hears)
                os.close(says)
            ending.callback(_kill, process)
            self.pipe = Pipe(from_browser, to_browser)
            ending.callback(self.pipe.close)
            self.door = Door(self._listening(ours, process), self._outgoing)
            ending.callback(self.door.close)
        try:
            self.pipe.call("Browser.getVersion", START_S)
        except (BrowserEnded, PageHangs, Refused):
            raise BrowserMissing(f"{self._program.name} does not start", program=self._program.name) from None
        return process

    def _process(self, given: tuple[int, int, int]) -> subprocess.Popen[bytes]:
        here = self._program.resolve().parent
        covered = [one for one in (*_COVERED, *map(str, self._chromium.hidden)) if not here.is_relative_to(one)]
        said = {
            "parent": os.getpid(), "nice": 5, "memory_bytes": self._chromium.memory_bytes, "cores": 2,
            "output_bytes": self._chromium.largest_bytes, "root": str(self.root.resolve()),
            "hidden": [str(one) for one in self._chromium.hidden], "visible": [*_VISIBLE, str(here)], "readable": [],
            "devices": _DEVICES, "writable": ["/proc"], "must": True, "nobody": True, "covered": covered,
            "pipes": given[:2], "way_out": given[2],
        }  # fmt: skip
        flags: Sequence[str] = (*_FLAGS, f"--user-data-dir={self.root / 'profile'}")
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        environment |= {
            "HOME": str(self.root),
            "TMPDIR": _SCRATCH,
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }
        whole = [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(said), str(self._program), *flags]
        return subprocess.Popen(  # noqa: S603 -- the operator's own program
            whole, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=given,
        )  # fmt: skip

    def _listening(self, ours: socket.socket, process: subprocess.Popen[bytes]) -> socket.socket:
        """Return what listens in the browser's network; raises `BrowserNotHeld`."""
        ours.settimeout(START_S)
        try:
            _, handed, _, _ = socket.recv_fds(ours, 1, 1)
        except TimeoutError:
            handed = []
        if handed:
            return socket.socket(fileno=handed[0])
        with suppress(subprocess.TimeoutExpired):
            log.error("a browser was not held and not started", status=process.wait(1), held=False, wanted=NOT_HELD)
        raise BrowserNotHeld


def _vouched(ca_file: Path, home: Path) -> bool:
    """Have Chromium find authorities in its home, as a database of NSS; False if that could not be made."""
    folder = home / ".pki" / "nssdb"
    folder.mkdir(mode=0o700, parents=True)
    whole = [sys.executable, "-I", "-S", str(_TRUSTING), str(folder), str(ca_file.resolve())]
    try:
        subprocess.run(whole, env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=START_S, check=True)  # noqa: S603 -- our own program
    except (subprocess.SubprocessError, OSError) as error:
        log.error("importer.ca_file does not count for the browser", error=type(error).__name__)
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process; the kernel ends all that it has started, which lives in a space of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
