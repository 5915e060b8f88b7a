"""A directory that is gone, slow, foreign, or sends rubbish: a clear error in time, and nothing else waits for it."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from radrelay.errors import Misconfigured
from radrelay.identity.directory import processes, source
from radrelay.identity.directory.errors import (
    BonsaiMissing,
    DirectoryBusy,
    DirectoryRefusesUs,
    DirectoryUnavailable,
    DirectoryUnreadable,
    DirectoryUntrusted,
)
from radrelay.settings import DirectorySettings, Settings
from tests.identity.directory.conftest import MANY, Opener
from tests.slapd import SITE, Branch, Slapd


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give the port of a server that does `serve` with each connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            serve(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _silent(connection: socket.socket) -> None:
    connection.settimeout(20)
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass


def _rubbish(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + os.urandom(512))


@pytest.mark.parametrize("url", ["ldaps", "ldap"])
def test_a_server_that_says_nothing_is_given_up_in_time(branch: Branch, opened: Opener, url: str) -> None:
    with listening(_silent) as port:
        directory = opened(branch, urls=[f"{url}://127.0.0.1:{port}"], start_tls=url == "ldap", timeout_s=0.5)
        begun = time.monotonic()
        with pytest.raises(DirectoryUnavailable) as raised:
            directory.try_password(None, "x")
        assert time.monotonic() - begun < 3
    assert type(raised.value) is DirectoryUnavailable


@pytest.mark.parametrize("url", ["ldaps", "ldap"])
def test_a_server_that_sends_rubbish_is_an_error(branch: Branch, opened: Opener, url: str) -> None:
    with listening(_rubbish) as port:
        directory = opened(branch, urls=[f"{url}://127.0.0.1:{port}"], start_tls=url == "ldap", timeout_s=2)
        with pytest.raises(DirectoryUnavailable):
            directory.read()


def test_a_server_that_nobody_answers_at_is_named(branch: Branch, opened: Opener) -> None:
    with pytest.raises(DirectoryUnavailable, match=r"ldaps://127\.0\.0\.1:1: Connection refused"):
        opened(branch, urls=["ldaps://127.0.0.1:1"]).read()


def test_a_silent_server_does_not_stop_other_threads(branch: Branch, opened: Opener) -> None:
    with listening(_silent) as port:
        directory = opened(branch, urls=[f"ldaps://127.0.0.1:{port}"], timeout_s=0.5)
        asking = threading.Thread(target=lambda: _ask(directory))
        asking.start()
        longest = 0.0
        while asking.is_alive():
            begun = time.monotonic()
            time.sleep(0.01)
            longest = max(longest, time.monotonic() - begun)
        assert longest < 0.5


def _ask(directory: source.Directory, raised: list[BaseException] | None = None) -> None:
    try:
        directory.try_password(None, "x")
    except DirectoryUnavailable as error:
        if raised is not None:
            raised.append(error)


def test_only_a_few_wait_for_a_slow_directory_and_the_others_are_told_at_once(branch: Branch, opened: Opener) -> None:
    with listening(_silent) as port:
        directory = opened(branch, urls=[f"ldaps://127.0.0.1:{port}"], timeout_s=0.5)
        raised: list[BaseException] = []
        crowd = [threading.Thread(target=_ask, args=(directory, raised)) for _ in range(12)]
        for thread in crowd:
            thread.start()
        while len(raised) < 12 - processes.MOST - processes.WAITING:
            time.sleep(0.01)
        assert all(isinstance(error, DirectoryBusy) for error in raised)
        for thread in crowd:
            thread.join(10)
        assert len(directory.processes.processes()) <= processes.MOST


def test_a_process_that_is_lost_costs_one_answer(branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    directory = opened(branch)
    directory.read()
    (process,) = directory.processes.processes()
    os.kill(process, signal.SIGKILL)
    with pytest.raises(DirectoryUnavailable):
        directory.read()
    assert len(directory.read()[0].people) == 1


def test_the_processes_end_with_the_role(branch: Branch, opened: Opener) -> None:
    branch.person("anna")
    directory = opened(branch)
    directory.read()
    (process,) = directory.processes.processes()
    directory.processes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_certificate_of_another_authority_or_another_name_is_not_believed(
    server: Slapd, branch: Branch, opened: Opener, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for more in ({"ca_file": other}, {"ca_file": other, "urls": [server.ldap], "start_tls": True}):
        with pytest.raises(DirectoryUntrusted, match="certificate"):
            opened(branch, **more).read()
    with pytest.raises(DirectoryUntrusted, match="IP address mismatch"):
        opened(branch, urls=[server.under_another_name]).read()


def test_no_setting_of_the_system_makes_a_bad_certificate_good(
    branch: Branch, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    (tmp_path / ".ldaprc").write_text("TLS_REQCERT never\n")
    (tmp_path / "ldaprc").write_text("TLS_REQCERT never\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LDAPTLS_REQCERT", "never")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DirectoryUntrusted):
        opened(branch, ca_file=other).read()


def test_a_reading_account_that_is_refused_is_named(branch: Branch, opened: Opener) -> None:
    with pytest.raises(DirectoryRefusesUs, match="bind_dn"):
        opened(branch, bind_password="wrong").read()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"base": f"ou=nowhere,{SITE}"}, "there is no 'ou=nowhere"),
        ({"user_filter": "(uid=nobody-at-all)"}, "Nobody was found"),
        ({"user_filter": "(uid=*"}, "filter"),
        ({"most_entries": 100}, "more than 100 entries"),
        ({"bind_dn": "", "bind_password": ""}, "may not see it"),
    ],
)
def test_what_is_not_all_is_nothing(opened: Opener, more: dict[str, Any], said: str) -> None:
    with pytest.raises(DirectoryUnreadable, match=said):
        opened(more.pop("base", MANY), **more).read()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"urls": ["ldap://dc"], "base": "dc=x"}, "start_tls"),
        ({"urls": ["ldaps://dc"], "base": "dc=x", "start_tls": True}, "start_tls"),
        ({"urls": ["dc.example.org"], "base": "dc=x"}, "is not ldaps://host"),
        ({"urls": ["ldaps://dc/dc=x??sub"], "base": "dc=x"}, "is not ldaps://host"),
        ({"urls": ["ldaps://dc"]}, "base"),
        ({"urls": ["ldaps://dc"], "base": "dc=x", "bind_password": "a", "bind_password_file": "/b"}, "both set"),
    ],
)
def test_settings_that_make_no_sense_or_no_protection_are_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(directory=section)


def test_files_that_are_missing_and_a_missing_library_are_told_at_the_start(
    branch: Branch, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match="ca_file"):
        opened(branch, ca_file=tmp_path / "none.pem").require_ready()
    with pytest.raises(Misconfigured, match="bind_password_file"):
        opened(branch, bind_password=None, bind_password_file=tmp_path / "none").require_ready()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BonsaiMissing, match=r"radrelay\[ldap\]"):
        opened(branch).require_ready()


def test_no_secret_is_shown() -> None:
    settings = DirectorySettings(urls=("ldaps://dc",), base="dc=x", bind_password="hush")
    assert "hush" not in repr(settings)
