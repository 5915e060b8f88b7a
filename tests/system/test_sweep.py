"""The sweep does what an event was lost for, whatever is wrong with one study."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from radrelay.app.sweeping import compact_waiting
from radrelay.archive import indexing
from tests.system.house import open_house
from tests.system.samples import phantom_files


def test_a_study_that_cannot_be_packed_costs_no_other_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_house(tmp_path / "house") as house:
        for seed in range(3):
            house.send(phantom_files(tmp_path / f"{seed}", "ct-head", seed=seed))
        with house.core.database.write() as session:
            indexing.complete_quiet(session, house.clock.now() + timedelta(minutes=1))
        pack = house.shop.compactor.compact_study
        bad = house.shop.compactor.pending()[0][1]

        def compact(organisation_id: uuid.UUID, study_id: uuid.UUID) -> int:
            if study_id == bad:
                raise OSError(5, "Input/output error")
            return pack(organisation_id, study_id)

        monkeypatch.setattr(house.shop.compactor, "compact_study", compact)
        compact_waiting(house.shop)
        assert [study_id for _, study_id in house.shop.compactor.pending()] == [bad]
