"""The doctor tells what leaves this machine unprotected."""

from __future__ import annotations

from typing import Any

import pytest

from radrelay.app.clear_ways import clear_way_findings
from radrelay.settings import Settings


def told(**sections: Any) -> str:
    findings = list(clear_way_findings(Settings(**sections)))
    assert all((one.state, one.subject) == ("look", "TLS") and one.advice for one in findings)
    return " ".join(word for word in ("PostgreSQL", "S3", "clamd") if any(word in one.text for one in findings))


def test_the_doctor_names_what_goes_over_the_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert told(database={"url": "postgresql://radrelay@db.example/radrelay"}) == "PostgreSQL"
    assert told(database={"url": "postgresql://radrelay@db.example/radrelay?sslmode=require"}) == "PostgreSQL"
    assert told(database={"url": "postgresql:///radrelay?host=db.example:5432"}) == "PostgreSQL"
    assert told(storage={"s3_endpoint": "http://s3.example", "s3_allow_http": True}) == "S3"
    assert told(intake={"clamd": "tcp://10.0.0.9:3310"}) == "clamd"


def test_what_stays_here_or_is_checked_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    for url in (
        "postgresql://r@127.0.0.1/r", "postgresql://r@localhost/r", "postgresql:///r?host=/run/postgresql",
        "postgresql://r@db.example/r?sslmode=verify-full", "postgresql://r@[::1]:5432/r",
    ):  # fmt: skip
        assert told(database={"url": url}) == "", url
    assert told(storage={"s3_endpoint": "https://s3.example"}) == ""
    assert told(storage={"s3_endpoint": "http://127.0.0.1:9000", "s3_allow_http": True}) == ""
    assert told(intake={"clamd": "unix:///run/clamd.sock"}) == told(intake={"clamd": "tcp://localhost:3310"}) == ""
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert told(database={"url": "postgresql://radrelay@db.example/radrelay"}) == ""
