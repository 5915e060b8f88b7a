"""The conformance kit finds each way of failing at the clause that it breaks, and nothing else; the commands say so."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from radrelay.app.dlx_commands import Checking, check_command, faults_command
from radrelay.dicom import phantoms
from radrelay.errors import Invalid
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.dlx import DlxConnector
from radrelay.importer.connectors.dlx_answers import Login, login_of
from radrelay.importer.dlx import contract, kit
from radrelay.importer.dlx.kit import Finding, Subject, check
from radrelay.importer.dlx.library import Library
from radrelay.importer.dlx.provider import FaultUnknown, Key, Provider
from radrelay.importer.line import Limits
from radrelay.importer.outgoing import Reply
from tests.importer.portal import NAME, outgoing, portal
from tests.importer.provider import BORN, TOKEN, Serving, Waits, serving

OLD = "OLD-S1Z-98A"
ANSWERS = {"PAT_BIRTH_DATE": BORN}
KEYS = (Key(TOKEN, ANSWERS), Key(OLD, ANSWERS, expired=True))
SHORT = Limits(idle_s=0.2, head_s=5, window_s=0.3, least_in_window=64 << 10, most_bytes=10 << 20, whole_s=0.1)
ENDLESS = {"stall", "drip"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("handed-out")
    (folder / "Befund.pdf").write_bytes(b"%PDF-1.4\n")
    for number, file in enumerate(phantoms.study("ct-head", slices=2, size=32)):
        (folder / f"{number}.dcm").write_bytes(file)
    library = Library(folder)
    with serving(library) as made:
        yield made
    library.close()


def checked(here: Serving, *faults: str, answers: bool = True, path: str = "/portal?token=") -> dict[str, Finding]:
    here.become(*faults, keys=KEYS)
    limits = SHORT if ENDLESS & set(faults) else Limits(most_bytes=10 << 20)
    way = outgoing(limits=limits, allows=lambda host: host.startswith("127.0.0.1"))
    known = DlxConnector(way, AttemptsInMemory())
    lead, old = known.recognise(f"{here.base}{path}{TOKEN}"), known.recognise(f"{here.base}{path}{OLD}")
    assert lead is not None
    found = check(way, Subject(lead, {"birth-date": "1970-01-01"} if answers else {}, old), Waits().pause)
    assert [one.clause for one in found] == list(contract.CLAUSES)
    return {one.clause.id: one for one in found}


def test_a_base_without_encryption_is_found(here: Serving, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with serving(here.library, tmp_path / "server.pem") as made:
        address = f"https://{NAME}:{made.server.port}"
        made.server.provider = Provider(here.library, KEYS, frozenset({"clear-base"}), address)
        way = outgoing(authority)
        known = DlxConnector(way, AttemptsInMemory())
        lead = known.recognise(f"{address}/dlx/v1/token/{TOKEN}")
        assert lead is not None
        found = {one.clause.id: one for one in check(way, Subject(lead, {"birth-date": BORN}))}
        assert (found["base"].outcome, found["base"].detail) == ("failed", "apiBasePath is not HTTPS")
        assert found["download"].outcome == "passed"
        errand = known.open(lead)  # which reads it as https, for it is the same host
        errand.answer({"1": BORN})
        assert errand.items()


def test_a_provider_that_does_all_passes_all(here: Serving) -> None:
    found = checked(here)
    assert {name: one.outcome for name, one in found.items()} == {
        one.id: "untested" if one.id in ("busy", "reached") else "passed" for one in contract.CLAUSES
    }


FOUND = [one for one in contract.FAULTS if one.name != "clear-base"]  # which is none where all is http


@pytest.mark.parametrize("fault", FOUND, ids=lambda fault: fault.name)
def test_each_way_of_failing_is_found_where_it_breaks_the_contract(here: Serving, fault: contract.Fault) -> None:
    found = checked(here, fault.name)
    broken = {name for name, one in found.items() if one.outcome in ("failed", "advice")}
    if not fault.breaks:
        assert broken <= {"login", "download"} if fault.name == "expired" else broken == set()
        return
    assert fault.breaks in broken
    assert found[fault.breaks].detail
    assert (found[fault.breaks].outcome == "advice") == (contract.BY_ID[fault.breaks].force == "should")


@pytest.mark.parametrize(
    ("told", "clause"),
    [
        ({"tfaQuestion": [{"questionId": 1}], "apiInfo": {"apiBasePath": "https://[::1"}}, "questions-form"),
        ({"tfaQuestion": [], "apiInfo": [{"apiBasePath": "https://[::1"}, 7]}, "base"),
        ({"tfaQuestion": [], "apiInfo": 7}, "base"),
        ({"tfaQuestion": [7]}, "questions"),
        ([1], "questions"),
    ],
)
def test_a_provider_that_talks_nonsense_is_told_so(told: object, clause: str) -> None:
    with portal() as made:
        answers = {f"token/{TOKEN}": told, f"tokentfa/{TOKEN}": "a.b.c", "list": [{"id": 1, "date": [1]}]}
        for path, one in answers.items():
            body = one.encode() if isinstance(one, str) else json.dumps(one).encode()
            made.answers[f"/dlx/v1/{path}"] = lambda asked, body=body: asked.give(200, body)  # type: ignore[misc]
        way = outgoing()
        lead = DlxConnector(way, AttemptsInMemory()).recognise(made.url(f"/dlx/v1/token/{TOKEN}", "127.0.0.1"))
        assert lead is not None
        found = {one.clause.id: one.outcome for one in check(way, Subject(lead, {"custom": "x"}), Waits().pause)}
    assert found[clause] == "failed"


def test_a_login_that_would_end_during_the_test_is_renewed(here: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    logins: list[Login] = []

    def short(reply: Reply, now: float) -> Login:
        logins.append(login_of(reply, now))
        return Login(logins[-1].jwt, 0.0)

    monkeypatch.setattr(kit, "login_of", short)
    assert {one.outcome for one in checked(here).values()} == {"passed", "untested"}
    assert len(logins) > len(here.library.items)


def test_what_it_says_names_nobody_and_opens_nothing(here: Serving) -> None:
    item = here.library.items[0]
    secrets = [TOKEN, OLD, BORN, "1970-01-01", item.id, item.study_uid, item.patient_name.split("^")[0], "eyJ"]
    for fault in contract.FAULTS:
        if fault.name not in ENDLESS | {"endless", "bomb"}:
            text = repr(checked(here, fault.name))
            assert not [one for one in secrets if one in text], fault.name


def test_without_answers_the_rest_is_said_to_be_untested(here: Serving) -> None:
    found = checked(here, answers=False, path="/dlx/v1/token/")
    assert found["wrong-answer"].outcome == "passed"
    assert (found["login"].outcome, found["login"].detail) == ("untested", "no answer was given to: birth-date")
    assert found["portal"].outcome == "untested"


@pytest.mark.parametrize(
    ("fault", "clause", "told"),
    [
        ("answers-wrong", "login", "HTTP 401, as to a wrong answer: look whether the one that was given is right"),
        ("expired", "login", "HTTP 403, as for an expired link: look whether this one still counts"),
        ("placeholder-base", "base", "apiBasePath is no address, or a placeholder for one"),
        ("foreign-base", "base", "apiBasePath leads to another host (elsewhere.example)"),
    ],
)
def test_what_may_be_the_testers_own_doing_is_said_with_the_failure(
    here: Serving, fault: str, clause: str, told: str
) -> None:
    assert told in checked(here, fault)[clause].detail


def test_a_way_of_failing_that_nobody_knows(here: Serving) -> None:
    with pytest.raises(FaultUnknown):
        Provider(here.library, (), frozenset({"nonsense"}))


def test_the_commands_words(here: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    here.become("wrong-count", "unknown-404", keys=KEYS)
    url = f"{here.base}/dlx/v1/token/{TOKEN}"
    asked = Checking(url, {"birth-date": "01.01.1970"}, "", [], None, "", inside=False)
    assert check_command(asked, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    by_id = {one["clause"]: one for one in told["findings"]}
    assert (told["failed"], by_id["count"]["outcome"], by_id["unknown-token"]["outcome"]) == (1, "advice", "failed")
    here.become(keys=KEYS)
    assert check_command(asked, as_json=False) == 0
    assert re.search(r"\d+ passed, 0 failed, 0 advice, 4 untested", capsys.readouterr().out)
    assert faults_command() == 0
    assert "break-off" in capsys.readouterr().out
    with pytest.raises(Invalid):
        check_command(Checking("https://portal.example/", {}, "", [], None, "", inside=False), as_json=False)


def test_what_one_failure_keeps_from_being_tested_is_told_in_one_place(
    here: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    here.become("questions-page", keys=KEYS)
    asked = Checking(f"{here.base}/dlx/v1/token/{TOKEN}", {"birth-date": BORN}, "", [], None, "", inside=False)
    assert check_command(asked, as_json=False) == 1
    told = capsys.readouterr().out
    assert told.count("no questions came") == 1
    assert "download-all" in told
    assert "FAILED    questions: " in told


def test_a_provider_without_end_does_not_fill_the_disk_of_whoever_tests_it(
    here: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = shutil.disk_usage(tempfile.gettempdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=8 << 20))
    here.become("endless", keys=KEYS)
    asked = Checking(f"{here.base}/dlx/v1/token/{TOKEN}", {"birth-date": BORN}, "", [], None, "", inside=False)
    assert check_command(asked, as_json=False) == 1
    assert f"sends more than the limit of {2 << 20} bytes" in " ".join(capsys.readouterr().out.split())


def test_the_provider_as_a_command_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "radrelay", "dlx", "serve", "--port", "0", "--fault", "expired"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        asked = Checking(url, {"birth-date": "1978-12-24"}, "", [], None, "", inside=False)
        assert check_command(asked, as_json=True) == 1
        run.send_signal(signal.SIGTERM)
        until = time.monotonic() + 30
        while run.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert run.returncode == 0
    assert list(tmp_path.iterdir()) == []
