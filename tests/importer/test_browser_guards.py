"""What a portal in the browser, and the browser itself, do not get at: each tries, and is refused."""

from __future__ import annotations

import os
import resource
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
import trustme
from sqlalchemy.exc import OperationalError

from radrelay.app.importing.findings import browser_findings
from radrelay.app.importing.work import chromium_of
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.browser import keeping
from radrelay.importer.browser.door import Door
from radrelay.importer.browser.errand import BrowserConnector, BrowserErrand
from radrelay.importer.browser.held import Chromium, Held
from radrelay.importer.browser.playing import play_in_browser
from radrelay.importer.connectors.ports import Lead, LiveErrand
from radrelay.importer.errors import (
    AddressRefused,
    AnswerWrong,
    AttemptsSpent,
    BrowserBusy,
    BrowserEnded,
    BrowserMissing,
    BrowserOff,
    HostNotAllowed,
    NotEncrypted,
    PageHangs,
    ParcelTooLarge,
    PortalTrouble,
    PortalUntrusted,
    RecipeOutdated,
)
from radrelay.importer.line import Limits
from radrelay.importer.outgoing import Outgoing
from radrelay.importer.recipes.reading import parsed
from radrelay.importer.secret import Secret
from radrelay.settings import Settings
from tests.browsers import CHROMIUM, WINDOWED
from tests.importer.portal import NAME, PATIENT, Asked, Kept, Portal, outgoing, portal
from tests.importer.recipe_portals import packed, page
from tests.importer.test_recipe_files import documented

HOST = "127.0.0.1"
PARCEL = packed()
RECIPE = """
recipe = 1
name = "Portal"
browser = true
hosts = ["{HOST}", "inside.example", "turns.example:8443", "clear.example:{PORT}"]
[[link]]
address = "/p/{code}"
[[step]]
name = "open"
goto = "/p/{code}"
expect = { text = "ready" }
within_s = 5
[[step]]
name = "bring"
save = { button = "Download" }
within_s = 5
"""
HOSTILE = """<p id=here></p><iframe src="file:///etc/hostname"></iframe><button onclick="bring()">Download</button>
<script>
const tried = [
  ...['http://10.0.0.7/', 'http://169.254.169.254/latest', 'https://inside.example/', 'http://[::1]:5432/',
    'https://evil.example/', 'http://clear.example:' + location.port + '/clear',
  ].map((one) => fetch(one, { mode: 'no-cors' })),
  fetch('https://turns.example:8443/', { mode: 'no-cors' }).catch(() => fetch('https://turns.example:8443/')),
  new Promise((done, fail) => { const made = new WebSocket('ws://evil.example/'); made.onerror = fail; }),
  fetch('file:///etc/hostname'), fetch('chrome://version'),
];
for (let at = 0; at < 20; at++) window.open('#' + at, '_blank');
alert('stop'); confirm('here');
const lead = new RTCPeerConnection({ iceServers: [{ urls: 'stun:evil.example:3478' }] });
lead.createDataChannel('x'); lead.createOffer().then((offer) => lead.setLocalDescription(offer));
function bring() { const link = document.createElement('a'); link.href = '/zip'; link.target = '_blank'; link.click(); }
Promise.allSettled(tried).then((all) => {
  here.textContent = all.every((one) => one.status === 'rejected') ? 'ready' : JSON.stringify(all);
});
</script>"""


@dataclass(frozen=True, slots=True)
class Shared(Chromium):
    """One browser for all of a file, each errand in a page of its own."""

    held: list[Held] = field(default_factory=list)

    def start(self, outgoing: Outgoing) -> Held:
        if not self.held:
            self.held.append(Chromium.start(self, outgoing))
        self.held[0].door._outgoing = outgoing
        self.held[0].door.refused.clear()
        return OnePage.of(self.held[0])


class OnePage(Held):
    """A shared browser that an errand may close."""

    @classmethod
    def of(cls, held: Held) -> OnePage:
        made = cls.__new__(cls)
        made.pipe, made.door, made.root = held.pipe, held.door, held.root
        return made

    def close(self) -> None:
        contexts = self.pipe.call("Target.getBrowserContexts", 5)["browserContextIds"]
        for one in contexts:
            self.pipe.call("Target.disposeBrowserContext", 5, browserContextId=one)
        for one in self.pipe.call("Target.getTargets", 5)["targetInfos"]:
            if one["url"].startswith(("http", "chrome-error")):
                self.pipe.call("Target.closeTarget", 5, targetId=one["targetId"])


def chromium_in(folder: Path, program: str = CHROMIUM) -> Chromium:
    places = threading.BoundedSemaphore(1)
    return Chromium(program, Path("/dev/shm"), folder, f"radrelay-{folder.name}-", (folder,), places=places)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    made = chromium_in(tmp_path_factory.mktemp("browser"))
    shared = Shared(made.program, made.memory_dir, made.disk_dir, made.prefix, made.hidden)
    yield shared
    for one in shared.held:
        Held.close(one)


@dataclass
class Walk:
    """An errand at a portal of the test, with hosts found where the test says."""

    here: Portal
    chromium: Chromium | None
    limits: Limits = PATIENT
    host: str = HOST
    attempts: AttemptsInMemory = field(default_factory=lambda: AttemptsInMemory(2))
    turned: list[str] = field(default_factory=list)

    def find(self, host: str, port: int) -> list[str]:
        """Find a host inside the house, and one that turns there once it was looked at."""
        del port
        self.turned += [host] * (host == "turns.example")
        inside = host == "inside.example" or (host == "turns.example" and len(self.turned) > 1)
        return ["192.168.7.7" if inside else HOST]

    @contextmanager
    def errand(self, text: str = RECIPE, *, allowed: str = "") -> Iterator[BrowserErrand]:
        text = text.replace("{HOST}", f"{self.host}:{self.here.port}").replace("{PORT}", str(self.here.port))
        recipe = parsed(text, Path("portal.toml"))
        way = outgoing(limits=self.limits, resolve=self.find, allows=lambda host: host.startswith(allowed))
        made = BrowserConnector(recipe, way, self.attempts, self.chromium)
        lead = made.recognise(self.here.url("/p/AB12", self.host))
        assert lead is not None
        with closing(made.open(lead)) as errand:
            errand.answer({})
            yield errand

    def ends(self, text: str = RECIPE, *, allowed: str = "") -> PortalTrouble:
        with self.errand(text, allowed=allowed) as errand:
            try:
                errand.carry_on({}, lambda: None)
                for item in errand.items():
                    errand.download(item, Kept())
            except PortalTrouble as trouble:
                return trouble
        raise AssertionError("nothing went wrong")


@pytest.fixture
def walk(chromium: Shared) -> Iterator[Walk]:
    with portal() as here:
        yield Walk(here, chromium)


def test_a_hostile_page_reaches_no_other_host_no_file_and_no_second_page(walk: Walk) -> None:
    walk.here.answers |= {"/p/AB12": page(HOSTILE), "/zip": lambda asked: asked.give(200, PARCEL)}
    kept = Kept()
    with walk.errand() as errand:
        assert errand.carry_on({}, lambda: None) is None
        browser = errand._browser
        assert browser is not None
        pages = [one for one in browser.pipe.call("Target.getTargets", 5)["targetInfos"] if one["type"] == "page"]
        assert len([one for one in pages if one["url"].startswith("http")]) == 1
        assert len(pages) <= 2
        refused = {host: type(one) for host, one in browser.door.refused.items()}
        for item in errand.items():
            assert errand.download(item, kept).content == "zip"
    assert refused == {
        "10.0.0.7": AddressRefused, "169.254.169.254": AddressRefused, "inside.example": AddressRefused,
        "::1": HostNotAllowed, "evil.example": HostNotAllowed, "turns.example": AddressRefused,
        "clear.example": NotEncrypted,
    }  # fmt: skip
    assert kept.bytes == PARCEL
    assert "/clear" not in walk.here.told()


def test_a_portal_leads_to_no_host_that_is_not_its_own_nor_allowed_nor_outside(walk: Walk) -> None:
    def led(where: str) -> PortalTrouble:
        walk.here.answers["/p/AB12"] = lambda asked: asked.give(302, b"", Location=where)
        return walk.ends()

    elsewhere = led("https://evil.example/login")
    assert isinstance(elsewhere, RecipeOutdated)
    assert elsewhere.facts["reason"] == "it leads to evil.example, which is none of the recipe's hosts"
    assert isinstance(led("https://inside.example/"), AddressRefused)
    walk.here.asked.clear()
    assert isinstance(walk.ends(allowed="portal.other"), HostNotAllowed)
    assert walk.here.asked == []


def test_a_page_that_lacks_one_of_the_recipe_s_hosts_names_that_host(walk: Walk) -> None:
    walk.here.answers["/p/AB12"] = page("<script>fetch('https://inside.example/')</script>waits")
    text = RECIPE.replace("within_s = 5", "within_s = 1", 1)
    assert isinstance(walk.ends(text), AddressRefused)
    refused = walk.ends(text, allowed=HOST)
    assert (type(refused), refused.facts["host"]) == (HostNotAllowed, "inside.example")


def test_wrong_answers_are_counted_for_the_link_and_others_are_given_back(walk: Walk) -> None:
    text = RECIPE.replace(
        'expect = { text = "ready" }', 'expect = { text = "ready" }\nfails = [{ as = "wrong", text = "no" }]'
    )
    text = text.replace('save = { button = "Download" }', 'download = "/zip"')
    walk.here.answers |= {"/p/AB12": page("ready"), "/zip": lambda asked: asked.give(200, PARCEL)}
    for _ in range(3):
        with walk.errand(text) as errand:
            assert errand.carry_on({}, lambda: None) is None
            assert errand.download(errand.items()[0], Kept()).size == len(PARCEL)
    walk.here.answers["/p/AB12"] = page("no")
    assert [(type(one), one.facts.get("left")) for one in (walk.ends(text), walk.ends(text), walk.ends(text))] == [
        (AnswerWrong, 1), (AnswerWrong, 0), (AttemptsSpent, None),
    ]  # fmt: skip


def test_a_certificate_that_nobody_vouches_for_is_not_believed(chromium: Shared) -> None:
    with portal(trustme.CA(), NAME) as here:
        here.answers["/p/AB12"] = page("ready")
        assert isinstance(Walk(here, chromium, host=NAME).ends(), PortalUntrusted)
        assert here.asked == []


@pytest.mark.parametrize("program", [CHROMIUM, WINDOWED])
def test_authorities_that_the_house_names_are_believed_besides(tmp_path: Path, program: str) -> None:
    """A proxy that looks into TLS signs with an authority of its own."""
    authority = trustme.CA()
    pem = (trustme.CA().cert_pem.bytes(), authority.cert_pem.bytes())
    (tmp_path / "ca.pem").write_bytes(b"# ours\n" + b"\n".join(pem))
    (tmp_path / "data").mkdir()
    made = replace(chromium_in(tmp_path / "data", program), ca_file=tmp_path / "ca.pem")
    with portal(authority, NAME) as here:
        here.answers |= {"/p/AB12": page("ready"), "/zip": lambda asked: asked.give(200, PARCEL)}
        text = RECIPE.replace('save = { button = "Download" }', 'download = "/zip"')
        with Walk(here, made, host=NAME).errand(text) as errand:
            assert errand.carry_on({}, lambda: None) is None
            kept = Kept()
            errand.download(errand.items()[0], kept)
            assert kept.bytes == PARCEL
            assert errand._browser is not None
            home = errand._browser.root
    assert not home.exists()
    with portal(trustme.CA(), NAME) as here:
        here.answers["/p/AB12"] = page("ready")
        assert isinstance(Walk(here, made, host=NAME).ends(), PortalUntrusted)


def test_an_endless_download_and_a_page_that_hangs_end(walk: Walk) -> None:
    def endless(asked: Asked) -> None:
        asked.head(200, "application/zip", None, Content_Disposition="attachment")
        while not asked.server.portal.over.is_set():
            asked.wfile.write(PARCEL * 20)

    walk.limits = Limits(answer_s=1, most_bytes=3 << 20)
    walk.here.answers |= {
        "/p/AB12": page("ready <button onclick='location = \"/endless\"'>Download</button>"), "/endless": endless,
    }  # fmt: skip
    assert isinstance(walk.ends(), ParcelTooLarge)
    walk.here.answers["/p/AB12"] = page("ready <button onclick='for (;;);'>Download</button>")
    assert isinstance(walk.ends(), PageHangs)


PROGRAM = """#!/usr/bin/python3
import json, os, socket
def tried(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"
def unix():
    with socket.socket(socket.AF_UNIX) as made:
        made.connect("{DATA}/door")
facts = {
    "data": tried(lambda: open("{DATA}/secret").read()), "home": tried(lambda: open(os.environ["HOME"] + "/x", "w")),
    "beside": tried(lambda: open("{BESIDE}/x", "w")), "passwd": tried(lambda: open("/etc/passwd").read()),
    "device": tried(lambda: open("/dev/ptmx")),
    "net": tried(lambda: socket.create_connection(("127.0.0.1", {PORT}), 2)), "unix": tried(unix),
    "way": tried(lambda: socket.create_connection(("127.0.0.1", 1080), 2)),
    "far": tried(lambda: socket.create_connection(("192.0.2.1", 443), 2)),
    "others": len([one for one in os.listdir("/proc") if one.isdigit()]), "root": os.getuid() == 0,
    "environment": sorted(os.environ),
}
while True:
    said = b""
    while not said.endswith(b"\\0"):
        piece = os.read(3, 1)
        if not piece:
            raise SystemExit
        said += piece
    os.write(4, json.dumps({"id": json.loads(said[:-1])["id"], "result": facts}).encode() + b"\\0")
"""


def test_the_browser_s_process_reads_no_data_sees_nobody_and_has_one_way_out(tmp_path: Path) -> None:
    data, beside = tmp_path / "data", tmp_path / "beside"
    for one in (data, beside, tmp_path / "bin"):
        one.mkdir()
    (data / "secret").write_text("key")
    program = tmp_path / "bin" / "browser"
    made = chromium_in(data, str(program))
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(socket.AF_UNIX) as door:
        door.bind(str(data / "door"))
        door.listen()
        text = PROGRAM.replace("{DATA}", str(data)).replace("{BESIDE}", str(beside))
        program.write_text(text.replace("{PORT}", str(listening.getsockname()[1])))
        program.chmod(0o755)
        held = made.start(outgoing())
        with closing(held):
            facts = held.pipe.call("facts", 5)
            with pytest.raises(BrowserBusy):
                made.start(outgoing())
    assert facts.pop("others") <= 4
    assert set(facts.pop("environment")) <= {
        "DBUS_SESSION_BUS_ADDRESS", "HOME", "LANG", "LC_CTYPE", "PATH", "PWD", "TMPDIR", "TZ",
    }  # fmt: skip
    assert (facts.pop("data"), facts.pop("unix")) == ("FileNotFoundError", "FileNotFoundError")
    assert facts == {
        "home": "done", "way": "done", "beside": "PermissionError", "passwd": "PermissionError",
        "device": "PermissionError",
        "net": "ConnectionRefusedError", "far": "OSError", "root": False,
    }  # fmt: skip
    assert not held.root.exists()


GREEDY = """#!/usr/bin/python3
import json, os
other = os.fork()
held = b"x" * {MEMORY}
while not other:
    pass
for one in range({FILES}):
    with open(f"{os.environ['HOME']}/{one}", "wb") as file:
        file.write(bytes(1 << 20))
while said := os.read(3, 1 << 16):
    os.write(4, json.dumps({"id": json.loads(said[:-1])["id"], "result": {}}).encode() + b"\\0")
"""


@pytest.mark.parametrize(("memory", "files"), [(60 << 20, 0), (0, 5)])
def test_a_browser_that_takes_more_than_it_may_is_ended(tmp_path: Path, memory: int, files: int) -> None:
    program = tmp_path / "browser"
    program.write_text(GREEDY.replace("{MEMORY}", str(memory)).replace("{FILES}", str(files)))
    program.chmod(0o755)
    made = replace(
        chromium_in(tmp_path / "data", str(program)), memory_bytes=100 << 20, largest_bytes=2 << 20, besides_bytes=0
    )
    with closing(made.start(outgoing())) as held:
        held._thread.join(10)
        with pytest.raises(BrowserEnded):
            held.pipe.call("still.here", 5)
    assert not held.root.exists()


class Waiting:
    """An errand that waits for a person."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble, self.closed = trouble, threading.Event()

    def close(self) -> None:
        self.closed.set()
        if self.trouble is not None:
            raise self.trouble


def test_browsers_that_wait_are_watched_on_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LOOK_S", 0.01)
    away, asked = [OperationalError("", None, Exception())], threading.Event()

    def awaited(case_id: uuid.UUID) -> bool:
        if away:
            asked.set()
            raise away[0]
        return False

    kept, lead = keeping.Keeping(awaited), Lead("recipe:one", NAME, Secret(""))
    first, second, late = Waiting(away[0]), Waiting(), Waiting(OSError())
    kept.keep(uuid.uuid4(), lead, cast("LiveErrand", first), 600)
    kept.keep(uuid.uuid4(), lead, cast("LiveErrand", second), 600)
    assert asked.wait(5)
    assert not first.closed.is_set()  # nobody has said that its import is over
    kept.keep(uuid.uuid4(), lead, cast("LiveErrand", late), 0)
    assert late.closed.wait(5)
    away.clear()
    assert first.closed.wait(5)
    assert second.closed.wait(5)
    kept.close()


def test_a_browser_ends_though_its_attempt_cannot_be_given_back() -> None:
    class Away(AttemptsInMemory):
        def give_back(self, token: Secret) -> None:
            raise OperationalError("", None, Exception())

    recipe = parsed(documented("example of a browser"), Path("portal.toml"))
    made = BrowserErrand(recipe, outgoing(), Lead("", NAME, Secret("")), {}, Away(), lambda s: None, lambda: 0.0)
    browser = Waiting()
    made._browser, made._spent = cast("Held", browser), (Secret("a"),)
    with pytest.raises(OperationalError):
        made.close()
    assert browser.closed.is_set()


def test_connections_beyond_a_thousand_open_files_are_carried() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.fail(f"this machine opens {hard} files at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as listening:
            door = Door(listening, outgoing())
            with socket.create_connection(listening.getsockname(), 10) as asks:
                asks.sendall(b"\5\1\0")
                assert asks.recv(2) == b"\5\0"
                name = b"localhost"
                port = there.getsockname()[1].to_bytes(2, "big")
                asks.sendall(b"\5\1\0\3" + bytes((len(name),)) + name + port)
                with there.accept()[0] as carried:
                    assert asks.recv(10)[1] == 0
                    assert carried.fileno() > 1024
                    asks.sendall(b"\x16up")
                    assert carried.recv(10) == b"\x16up"
                    carried.sendall(b"down")
                    assert asks.recv(10) == b"down"
            door.close()
    finally:
        for one in many:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_that_is_no_browser_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BrowserMissing):
        chromium_in(tmp_path, "no-such-browser").start(outgoing())
    made = chromium_in(tmp_path, "/bin/true")
    with pytest.raises(BrowserMissing):
        made.start(outgoing())
    assert list(made.memory_dir.glob(f"{made.prefix}*")) == []


def test_a_portal_that_needs_a_browser_is_left_alone_where_that_is_off(walk: Walk) -> None:
    assert chromium_of(Settings(data_dir=Path("/nowhere"))) is None
    walk.chromium = None
    with pytest.raises(BrowserOff), walk.errand():
        pass
    assert walk.here.asked == []


def test_the_documented_recipe_passes_its_own_tests_and_one_that_differs_says_where(chromium: Shared) -> None:
    text = documented("example of a browser")
    assert [one.passed for one in play_in_browser(parsed(text, Path("portal.toml")), chromium)] == [True, True]
    other = text.replace("{birth_date:DD.MM.YYYY}", "{birth_date:MM/DD/YYYY}").replace(', sms = "481516"', "")
    differs, _ = play_in_browser(parsed(other, Path("portal.toml")), chromium)
    assert (differs.step, differs.why) == ("sms", "sends born = '01/31/1970', where '31.01.1970' was recorded")


@pytest.mark.parametrize(
    ("told", "state", "text"),
    [
        ({}, "good", "off"),
        ({"enabled": True, "program": WINDOWED}, "good", "on: Chrome/"),
        ({"enabled": True, "program": "no-such-browser"}, "bad", "no-such-browser is not found"),
    ],
)
def test_doctor_tells_whether_the_browser_is_on_and_can_be_held(
    tmp_path: Path, told: dict[str, object], state: str, text: str
) -> None:
    (found,) = browser_findings(Settings(data_dir=tmp_path / ("long" * 20), importer={"browser": told}))
    assert found.state == state
    assert found.text.startswith(text)


@pytest.mark.parametrize("held", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_doctor_tells_of_authorities_that_the_browser_does_not_believe(tmp_path: Path, held: bytes | None) -> None:
    file = tmp_path / "authorities.pem"
    if held is not None:
        file.write_bytes(held)
    told = {"browser": {"enabled": True, "program": CHROMIUM}, "ca_file": file}
    _, found = browser_findings(Settings(data_dir=tmp_path / "a", importer=told))
    assert (found.state, found.text) == ("bad", f"does not believe {file}")


def test_a_form_in_a_frame_is_the_page_once_the_recipe_goes_on_to_it(walk: Walk) -> None:
    text = RECIPE.replace('goto = "/p/{code}"', 'goto = "/p/{code}"\nframe = { class = "portal" }')
    late = '<script>setTimeout(() => { here.innerHTML = \'<iframe class="big portal" src="/in">\' }, 300)</script>'
    button = "<button onclick=\"location = '/zip'\">Download</button>"
    walk.here.answers |= {
        "/p/AB12": page(f"<div id=here></div>{late}"), "/in": page(f"ready {button}"),
        "/zip": lambda asked: asked.give(200, PARCEL, "application/zip"),
    }  # fmt: skip
    with walk.errand(text) as errand:
        assert errand.carry_on({}, lambda: None) is None
        kept = Kept()
        errand.download(errand.items()[0], kept)
        assert kept.bytes == PARCEL
    walk.here.answers["/p/AB12"] = page('<iframe class="portal" src="https://evil.example/"></iframe>')
    elsewhere = walk.ends(text)
    assert elsewhere.facts["reason"] == "it leads to evil.example, which is none of the recipe's hosts"
    walk.here.answers["/p/AB12"] = page("nothing")
    assert walk.ends(text).facts["reason"] == "it has no such page in a frame"
