"""What became of what was filed, as it is noted while nobody else writes."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import sqlalchemy as sa

from radrelay.importer.filing import PaperOutcome
from radrelay.importer.filing_noted import note_papers
from radrelay.importer.models import ImportCase, ImportPaper
from radrelay.importer.written_down import Row
from radrelay.storage.ids import new_id
from tests.importer.house import open_house
from tests.importer.test_imports import BORN_CT, IMAGES


def test_thousands_of_papers_are_noted_in_a_few_statements_and_what_was_handed_over_stays(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        case_id = house.bring({"a": IMAGES[0]}, BORN_CT)
        house.turn(case_id)
        ids = [new_id() for _ in range(1200)]

        def row(paper_id: uuid.UUID, organisation_id: object) -> Row:
            return {
                "id": paper_id, "organisation_id": organisation_id, "case_id": uuid.UUID(case_id), "file_name": "",
                "kind": "picture", "person_number": 0, "study_uid": "1.2", "why": "", "filed": False, "digest": "",
                "written": json.dumps({"1.2.0": "handed"}) if paper_id == ids[0] else "",
            }  # fmt: skip

        outcomes = {one: PaperOutcome("", {f"1.2.{at}": "" if at == 0 else f"sha {at}"}) for at, one in enumerate(ids)}
        outcomes[ids[1]] = PaperOutcome("unusable")
        asked: list[str] = []
        database = house.site.database
        with database.write() as session:
            organisation_id = session.scalar(sa.select(ImportCase.organisation_id))
            session.execute(sa.insert(ImportPaper), [row(one, organisation_id) for one in ids])
        sa.event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        with database.write() as session:
            note_papers(session, outcomes, {"1.2.2": "other-content"})
            assert sum("import_paper" in one for one in asked) < 10
        with database.read() as session:
            papers = {one.id: (one.filed, one.why, one.written) for one in session.scalars(sa.select(ImportPaper))}
        assert papers[ids[0]] == (True, "", '{"1.2.0": "handed"}')
        assert papers[ids[1]] == (False, "unusable", "")
        assert papers[ids[2]] == (False, "put-aside", "")
        assert papers[ids[1199]] == (True, "", '{"1.2.1199": "sha 1199"}')
