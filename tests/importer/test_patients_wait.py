"""Patients who wait are told why: the portal packs or is busy, or it is asked again by itself, and when."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from radrelay.importer import following, jobs
from radrelay.importer.dlx import provider
from radrelay.importer.dlx.provider import Key
from tests.importer.provider import TOKEN
from tests.importer.test_brought import Patient, confirm, house, instant, patient

__all__ = ["house", "patient"]


def test_a_patient_reads_that_the_portal_packs_until_something_comes(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SAID_AFTER_S", 0.2)
    monkeypatch.setattr(provider, "COME_BACK_S", 2)
    patient.house.portal.become("busy", keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224"}),))
    assert patient.enter()["packs_since"] is None
    seen: list[dict[str, Any]] = []

    def watch() -> None:
        ends = time.monotonic() + 15
        while time.monotonic() < ends and not (seen and seen[-1]["packs_since"]):
            seen.append(patient.look())
            time.sleep(0.1)

    watching = threading.Thread(target=watch)
    watching.start()
    told = patient.turn()
    watching.join()
    assert (seen[-1]["step"], seen[-1]["next_try_at"]) == ("fetching", None)
    assert datetime.fromisoformat(seen[-1]["packs_since"]) <= patient.house.site.clock.now()
    assert (told["step"], told["packs_since"]) == ("arrived", None)
    patient.withdraw()


def test_a_patient_reads_when_a_portal_that_cannot_be_reached_is_asked_again(patient: Patient) -> None:
    confirm(patient.house, "127.0.0.1:1")
    patient.enter(link=f"http://127.0.0.1:1/portal?token={TOKEN}")
    patient.house.turn(patient.case_id, turns=1)
    told = patient.look()
    again = patient.house.site.clock.now() + timedelta(seconds=jobs.PAUSES_S[0])
    assert (told["step"], told["code"], instant(told["next_try_at"])) == ("fetching", "", again)
    patient.withdraw()
