"""Marks over REST: two people at once, wrong order, strangers, restricted series, deleted studies, hostile bodies."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.audit.models import AuditEvent
from radrelay.marks import service
from radrelay.marks.models import Mark, MarkedStudy, MarkFiling
from radrelay.web import live
from tests.marks.marking import STUDY_UID, Shelf, delete, length, listed, put, two_series
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import anna, grant_to, revoke_all

__all__ = ["anna"]


@pytest.fixture
def study(site: WebSite, anna: Login) -> Shelf:
    return two_series(site, anna)


def test_a_measurement_is_there_for_everybody_who_opens_the_study(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    body = length(study.instances[0], text="Größe\nμ 日本")
    answer = put(anna, study.study, mark, body)
    assert answer.status_code == 200, answer.text
    kept = answer.json()
    assert {name: kept[name] for name in body if name != "revision"} == {k: body[k] for k in body if k != "revision"}
    assert (kept["id"], kept["revision"], kept["series_id"]) == (str(mark), 1, str(study.series[0]))
    assert kept["author"] == kept["changed_by"]
    assert kept["author"]["name"] == "anna"
    root = site.login("root")
    assert listed(root, study.study) == {"marks": [kept], "may_mark": True}


def test_the_same_request_twice_is_one(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    first = put(anna, study.study, mark, length(study.instances[0])).json()
    site.clock.advance(timedelta(seconds=5))
    assert put(anna, study.study, mark, length(study.instances[0])).json() == first
    changed = length(study.instances[0], 1, text="new")
    second = put(anna, study.study, mark, changed).json()
    assert second["revision"] == 2
    assert put(anna, study.study, mark, changed).json() == second
    with site.database.read() as session:
        written = session.scalar(sa.select(sa.func.count()).where(AuditEvent.action == "mark.write"))
    assert written == 2


def test_two_people_at_once_are_told_of_each_other(site: WebSite, anna: Login, study: Shelf) -> None:
    root, mark = site.login("root"), uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    theirs = put(root, study.study, mark, length(study.instances[0], 1, text="root's")).json()
    late = put(anna, study.study, mark, length(study.instances[0], 1, text="anna's"))
    assert (late.status_code, late.json()["code"]) == (409, "mark-changed")
    assert late.json()["mark"] == theirs
    assert late.json()["mark"]["changed_by"]["name"] == "root"
    assert late.json()["mark"]["author"]["name"] == "anna"
    mine = put(anna, study.study, mark, length(study.instances[0], 2, text="anna's"))
    assert mine.json()["revision"] == 3


def test_a_mark_that_somebody_deleted_is_not_written_over_unknowingly(site: WebSite, anna: Login, study: Shelf) -> None:
    root, mark = site.login("root"), uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0], text="secret"))
    assert delete(root, study.study, mark, 7).json()["code"] == "mark-changed"
    assert delete(root, study.study, mark, 1).status_code == 204
    assert delete(root, study.study, mark, 1).status_code == 204, "twice is once"
    assert listed(anna, study.study)["marks"] == []
    with site.database.read() as session:
        assert "secret" not in session.scalars(sa.select(Mark.content)).one()
    late = put(anna, study.study, mark, length(study.instances[0], 1, text="more"))
    assert (late.status_code, late.json()["code"], late.json()["revision"]) == (409, "mark-deleted", 2)
    again = put(anna, study.study, mark, length(study.instances[0], 2, text="back"))
    assert (again.status_code, again.json()["revision"], again.json()["text"]) == (200, 3, "back")


def test_a_change_of_a_mark_that_never_was_is_refused(anna: Login, study: Shelf) -> None:
    answer = put(anna, study.study, uuid.uuid4(), length(study.instances[0], 3))
    assert (answer.status_code, answer.json()["code"]) == (404, "mark-not-found")
    assert delete(anna, study.study, uuid.uuid4(), 1).json()["code"] == "mark-not-found"


def test_who_may_only_look_cannot_mark(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    revoke_all(site)
    grant_to(site, anna, Target("study", study.study), Right.SEE)
    assert listed(anna, study.study)["may_mark"] is False
    assert len(listed(anna, study.study)["marks"]) == 1
    for answer in (
        put(anna, study.study, uuid.uuid4(), length(study.instances[0])),
        delete(anna, study.study, mark, 1),
        anna.http.post(f"/api/studies/{study.study}/marks/file", headers=anna.headers),
        anna.http.get(f"/api/studies/{study.study}/marks/report.dcm"),
    ):
        assert answer.status_code == 404, answer.text


def test_marks_of_a_series_out_of_reach_are_neither_shown_nor_changed(site: WebSite, anna: Login, study: Shelf) -> None:
    root, open_mark, closed_mark = site.login("root"), uuid.uuid4(), uuid.uuid4()
    put(root, study.study, open_mark, length(study.instances[0]))
    put(root, study.study, closed_mark, length(study.instances[1]))
    revoke_all(site)
    grant_to(site, anna, Target("series", study.series[0]), Right.SEE, Right.ANNOTATE, Right.DOWNLOAD)
    assert [mark["id"] for mark in listed(anna, study.study)["marks"]] == [str(open_mark)]
    assert put(anna, study.study, uuid.uuid4(), length(study.instances[1])).json()["code"] == "instance-not-found"
    assert put(anna, study.study, closed_mark, length(study.instances[0], 1)).json()["code"] == "mark-not-found"
    assert delete(anna, study.study, closed_mark, 1).json()["code"] == "mark-not-found"
    answer = anna.http.post(f"/api/studies/{study.study}/marks/file", headers=anna.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "part-only")
    report = anna.http.get(f"/api/studies/{study.study}/marks/report.dcm")
    assert report.status_code == 200
    assert f"2.25.{open_mark.int}".encode() in report.content
    assert f"2.25.{closed_mark.int}".encode() not in report.content


def test_an_alias_view_hands_out_no_object_with_the_name(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    answer = anna.http.get(f"/api/studies/{study.study}/marks")
    assert answer.status_code == 200
    assert "ller" not in answer.text
    assert anna.http.get(f"/api/studies/{study.study}/marks/report.dcm").json()["code"] == "identity-hidden"


def test_who_sees_by_alias_reads_no_typed_text_but_his_own_and_leaves_it_as_it_is(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    root, theirs, own, shared = site.login("root"), uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    secret = "Frau Müller, Rückfrage"
    put(root, study.study, theirs, length(study.instances[0], text=secret))
    put(anna, study.study, shared, length(study.instances[0]))
    put(root, study.study, shared, length(study.instances[0], 1, text=secret))
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    put(anna, study.study, own, length(study.instances[0], text="mine"))

    def told(login: Login) -> dict[str, tuple[str, bool]]:
        return {one["id"]: (one["text"], one["text_hidden"]) for one in listed(login, study.study)["marks"]}

    assert told(anna) == {str(theirs): ("", True), str(shared): ("", True), str(own): ("mine", False)}
    moved = put(anna, study.study, theirs, length(study.instances[0], 1, points=[[1, 1], [2, 2]]))
    assert (moved.status_code, moved.json()["text"], moved.json()["text_hidden"]) == (200, "", True)
    late = put(anna, study.study, theirs, length(study.instances[0], 1))
    assert late.json()["code"] == "mark-changed"
    assert "ller" not in late.text
    guess = put(anna, study.study, theirs, length(study.instances[0], 2, points=[[1, 1], [2, 2]], text=secret))
    assert (guess.status_code, guess.json()["code"]) == (400, "mark-invalid")
    assert put(anna, study.study, own, length(study.instances[0], 1, text="mine, changed")).status_code == 200
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right)
    assert told(anna)[str(theirs)] == (secret, False), "moving it has kept its text"


def test_who_sees_by_alias_is_told_no_text_where_he_may_mark_in_clear(site: WebSite, anna: Login, study: Shelf) -> None:
    root, mark = site.login("root"), uuid.uuid4()
    put(root, study.study, mark, length(study.instances[0], text="Frau Müller, Rückfrage"))
    put(root, study.study, mark, length(study.instances[0], 1, text="Frau Müller, zweite Rückfrage"))
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), Right.SEE, identity="alias")
    grant_to(site, anna, Target("organisation"), Right.ANNOTATE)
    stale = (
        put(anna, study.study, mark, length(study.instances[0], 1, points=[[3, 3], [4, 4]])),
        delete(anna, study.study, mark, 1),
        put(anna, study.study, mark, length(study.instances[0], 1, text="a guess")),
    )
    for answer in stale:
        assert (answer.status_code, answer.json()["code"]) == (409, "mark-changed")
        assert "ckfrage" not in answer.text
    moved = put(anna, study.study, mark, length(study.instances[0], 2, points=[[1, 1], [2, 2]]))
    assert (moved.status_code, moved.json()["text"], moved.json()["text_hidden"]) == (200, "", True)


def test_a_value_is_kept_in_each_of_its_units(anna: Login, study: Shelf) -> None:
    names = ("mean", "sd", "min", "max")
    values = [{"name": name, "value": 1.5, "unit": "{SUVbw}g/ml"} for name in names]
    values += [{"name": name, "value": 12345.678, "unit": "Bq/ml"} for name in names]
    body = length(study.instances[0], kind="rectangle", points=[[1, 1], [9, 1], [9, 9], [1, 9]], values=values)
    answer = put(anna, study.study, uuid.uuid4(), body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["values"] == values


def test_where_a_label_was_put_is_kept(anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    assert put(anna, study.study, mark, length(study.instances[0])).json()["label"] is None
    moved = put(anna, study.study, mark, length(study.instances[0], 1, label=[-20.5, 40.25])).json()
    assert (moved["label"], moved["revision"]) == ([-20.5, 40.25], 2)
    assert listed(anna, study.study)["marks"] == [moved]
    far = put(anna, study.study, mark, length(study.instances[0], 2, label=[1e9, 0]))
    assert (far.status_code, far.json()["code"]) == (400, "mark-invalid")


def test_a_picture_of_another_study_cannot_be_marked_here(site: WebSite, anna: Login, study: Shelf) -> None:
    answer = put(anna, uuid.uuid4(), uuid.uuid4(), length(study.instances[0]))
    assert answer.json()["code"] == "study-not-found"
    answer = put(anna, study.study, uuid.uuid4(), length(uuid.uuid4()))
    assert answer.json()["code"] == "instance-not-found"


def test_marks_go_with_their_study(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    anna.http.post(f"/api/studies/{study.study}/marks/file", headers=anna.headers)
    assert anna.http.delete(f"/api/studies/{study.study}", headers=anna.headers).status_code == 204
    assert anna.http.get(f"/api/studies/{study.study}/marks").status_code == 404
    assert put(anna, study.study, mark, length(study.instances[0], 1)).status_code == 404
    with site.database.read() as session:
        for table in (Mark, MarkedStudy, MarkFiling):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_marks_go_with_their_series(site: WebSite, anna: Login, study: Shelf) -> None:
    kept = uuid.uuid4()
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    put(anna, study.study, kept, length(study.instances[1]))
    address = f"/dicom-web/studies/{STUDY_UID}/series/{STUDY_UID}.1"
    gone = anna.http.delete(address, headers=anna.headers)
    assert gone.status_code in (200, 204), gone.text
    assert [mark["id"] for mark in listed(anna, study.study)["marks"]] == [str(kept)]


def test_what_has_expired_shows_no_marks(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    site.clock.advance(timedelta(days=30))
    anna = site.login("anna")
    assert anna.http.get(f"/api/studies/{study.study}/marks").status_code == 404


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "kind": ({"kind": "star"}, 422, "kind"),
    "too few points": ({"points": [[1, 2]]}, 400, "2 points"),
    "too many points": ({"points": [[1, 2]] * 3}, 400, "2 points"),
    "far outside": ({"points": [[1, 2], [1e9, 2]]}, 400, "column"),
    "beyond the margin": ({"points": [[1, -129], [1, 2]]}, 400, "row"),
    "three coordinates": ({"points": [[1, 2, 3], [1, 2, 3]]}, 422, "points"),
    "text as number": ({"points": [["1", 2], [3, 4]]}, 422, "points"),
    "a truth as number": ({"points": [[True, 2], [3, 4]]}, 422, "points"),
    "frame 0": ({"frame": 0}, 422, "frame"),
    "frame beyond": ({"frame": 2}, 400, "frames"),
    "long text": ({"text": "x" * 2001}, 422, "text"),
    "control character": ({"text": "a\u0000b"}, 400, "control"),
    "escape": ({"text": "a\u001bb"}, 400, "control"),
    "unknown value": ({"values": [{"name": "volume", "value": 1, "unit": "ml"}]}, 422, "values"),
    "the same value twice": ({"values": [{"name": "length", "value": 1, "unit": "mm"}] * 2}, 400, "once"),
    "unit too long": ({"values": [{"name": "length", "value": 1, "unit": "m" * 17}]}, 422, "unit"),
    "unknown field": ({"colour": "red"}, 422, "colour"),
    "negative revision": ({"revision": -1}, 422, "revision"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_mark_is_said(anna: Login, study: Shelf, case: str) -> None:
    changes, status, said = WRONG[case]
    answer = put(anna, study.study, uuid.uuid4(), length(study.instances[0], **changes))
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert listed(anna, study.study)["marks"] == []


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "null", "[]", '"\\ud800"', '{"a": 1}']
)
def test_hostile_numbers_are_refused(anna: Login, study: Shelf, number: str) -> None:
    body = json.dumps(length(study.instances[0])).replace("10.5", number)
    address = f"/api/studies/{study.study}/marks/{uuid.uuid4()}"
    headers = {**anna.headers, "Content-Type": "application/json"}
    answer = anna.http.put(address, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    value = json.dumps(length(study.instances[0])).replace("33.333333333333336", number)
    assert anna.http.put(address, content=value, headers=headers).status_code == 422


def test_halves_of_characters_and_broken_json_are_refused(anna: Login, study: Shelf) -> None:
    address = f"/api/studies/{study.study}/marks/{uuid.uuid4()}"
    headers = {**anna.headers, "Content-Type": "application/json"}
    broken = json.dumps(length(study.instances[0])).replace('"text": ""', '"text": "\\ud800"')
    for body in (broken, "{", "[" * 100_000, "null", '{"kind": "length"}'):
        answer = anna.http.put(address, content=body, headers=headers)
        assert answer.status_code in (400, 422), answer.text


def test_a_point_may_lie_beside_its_picture(anna: Login, study: Shelf) -> None:
    body = length(study.instances[0], points=[[-100, -128], [256, 255.5]])
    assert put(anna, study.study, uuid.uuid4(), body).status_code == 200


def test_a_freehand_of_ten_thousand_points_is_kept_and_one_more_is_not(anna: Login, study: Shelf) -> None:
    points = [[n % 128 + 0.123456789, n / 100] for n in range(10_000)]
    body = length(study.instances[0], kind="freehand", points=points, values=[])
    assert put(anna, study.study, uuid.uuid4(), body).status_code == 200
    body["points"] = [*points, [1, 1]]
    assert put(anna, study.study, uuid.uuid4(), body).status_code == 422


def test_a_study_takes_no_more_marks_than_it_may(monkeypatch: pytest.MonkeyPatch, anna: Login, study: Shelf) -> None:
    monkeypatch.setattr(service, "MOST_MARKS", 2)
    marks = [uuid.uuid4() for _ in range(3)]
    assert [put(anna, study.study, mark, length(study.instances[0])).status_code for mark in marks] == [200, 200, 400]
    assert put(anna, study.study, marks[0], length(study.instances[0], 1, text="still")).status_code == 200
    delete(anna, study.study, marks[0], 2)
    assert put(anna, study.study, marks[2], length(study.instances[0])).status_code == 200
    full = put(anna, study.study, marks[0], length(study.instances[0], 3))
    assert (full.status_code, full.json()["code"], full.json()["most"]) == (400, "too-many-marks", 2)


def test_every_change_is_on_record_with_who_and_whose(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0], text="words"))
    delete(anna, study.study, mark, 1)
    with site.database.read() as session:
        events = session.execute(
            sa.select(AuditEvent.action, AuditEvent.actor_name, AuditEvent.subject_id, AuditEvent.detail,
                      AuditEvent.patient_ref)
            .where(AuditEvent.action.like("mark.%")).order_by(AuditEvent.sequence)
        ).all()  # fmt: skip
    assert [(event.action, event.actor_name, event.subject_id) for event in events] == [
        ("mark.write", "anna", str(mark)),
        ("mark.delete", "anna", str(mark)),
    ]
    assert all(event.patient_ref is not None for event in events)
    assert all("words" not in str(event.detail) for event in events)


def test_listeners_hear_that_marks_have_changed(site: WebSite, anna: Login, study: Shelf) -> None:
    def signature() -> dict[str, str]:
        with site.database.read() as session:
            return live.signatures(session, site.organisation_id, site.clock.now())

    mark, seen = uuid.uuid4(), [signature()]
    put(anna, study.study, mark, length(study.instances[0]))
    seen.append(signature())
    put(anna, study.study, mark, length(study.instances[0]))
    assert signature() == seen[-1], "nothing has changed"
    delete(anna, study.study, mark, 1)
    seen.append(signature())
    assert len({one["marks"] for one in seen}) == 3
    assert len({one["studies"] for one in seen}) == 1
