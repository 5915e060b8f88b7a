"""Rules meet studies that have come, do what they say once, and tell of each study what they did and why."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from radrelay import access
from radrelay.access import Principal, Right, WantedBar, scope
from radrelay.app.held_back import HeldBack, hold_back
from radrelay.archive import deletion, holdings, indexing, uncorrected
from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Series, Study
from radrelay.dicom.header import Header, parse
from radrelay.errors import NotFound, Unavailable
from radrelay.identity.models import Account
from radrelay.intake.models import Parcel, ParcelStudy
from radrelay.mail import Post
from radrelay.mail.models import MailLetter
from radrelay.routing import deliveries
from radrelay.routing.destinations import DestinationDraft, create_destination, update_destination
from radrelay.routing.ending import any_gone, forget_gone
from radrelay.routing.models import Delivery, Destination
from radrelay.routing.rules import service
from radrelay.routing.rules.errors import RoutingRuleChanged, RoutingRuleNotFound, RuleInvalid, RuleOrderStale
from radrelay.routing.rules.forwarding import came_from
from radrelay.routing.rules.models import EVALUATE, RuleLook, RuleMeeting
from radrelay.routing.rules.notifying import Notify
from radrelay.routing.rules.service import WantedRoutingRule
from radrelay.routing.rules.trying import Trial
from radrelay.routing.rules.work import RuleWork, note_complete
from radrelay.settings import MailSettings
from radrelay.storage import outbox
from radrelay.storage.models import OutboxEvent
from tests.archive.arriving import START
from tests.routing.ruled import NoHeaders, Ruled

CT = [("Modality", "is", ["CT"])]


def test_a_study_that_came_is_forwarded_once_though_it_is_looked_at_again(ruled: Ruled) -> None:
    rule = ruled.rule("To the PACS", ruled.forward(), when=[*CT, ("calling_ae", "is", ["CT1"])])
    ruled.rule("No", ruled.forward(), when=[("Modality", "is", ["MR"])])
    study = ruled.bring()
    assert ruled.complete() == 1
    [sent] = ruled.deliveries()
    assert (sent.study_id, sent.series_id, sent.requested_by) == (study.id, None, "To the PACS")
    [met] = ruled.met(study)
    assert (met.rule_id, met.revision) == (rule.id, 1)
    assert [(one["field"], one["held"], one["seen"]) for one in met.why] == [
        ("00080060", True, ["CT"]), ("calling_ae", True, ["CT1"])
    ]  # fmt: skip
    [noted] = ruled.events("study.forward")
    assert (noted["by"], noted["rule"], noted["delivery"]) == ("rule", str(rule.id), str(sent.id))
    ruled.restarted().evaluate(ruled.organisation_id, study.id, "complete")
    assert len(ruled.deliveries()) == 1


def test_what_comes_later_is_sent_after_it_and_nothing_that_was_sent_before(ruled: Ruled) -> None:
    ruled.rule("To the PACS", ruled.forward())
    ruled.bring()
    ruled.complete()
    ruled.bring()  # the same again
    ruled.complete()
    assert len(ruled.deliveries()) == 1
    ruled.bring(series_uid="1.2.3.2", sop_uid="1.2.3.2.1", modality="SR")
    ruled.complete()
    first, second = ruled.deliveries()
    assert (first.series_id, second.series_id is not None) == (None, True)
    ruled.complete()
    assert len(ruled.deliveries()) == 2


def test_nothing_goes_back_to_where_it_came_from_nor_where_it_is_already(ruled: Ruled) -> None:
    rule = ruled.rule("To the PACS", ruled.forward())
    study = ruled.bring(calling_ae="pacs")
    ruled.complete()
    assert ruled.deliveries() == []
    [[effect]] = [one.effects for one in ruled.met(study)]
    assert (effect.state, effect.reason) == ("skipped", "came-from-there")
    other = ruled.bring(study_uid="1.2.4", series_uid="1.2.4.1", sop_uid="1.2.4.1.1")
    with ruled.database.write() as session:
        sent = deliveries.request_delivery(
            session, ruled.clock, organisation_id=ruled.organisation_id, destination_id=ruled.destination_id,
            study_id=other.id, series_id=None, requested_by="a person", correlation_id="c",
        )  # fmt: skip
        receipt = deliveries.Receipt(uuid.uuid4(), "1.2.4.1.1", 0, "", "")
        deliveries.record_receipts(session, ruled.clock, sent, [receipt], 1)
    ruled.complete()
    assert len(ruled.deliveries()) == 1, "a person has sent it"
    assert ruled.met(other)[0].effects[0].reason == "there-already"
    assert ruled.met(other)[0].rule_id == rule.id


def test_a_result_that_came_back_keeps_nothing_else_of_its_study_from_going_there(ruled: Ruled) -> None:
    ruled.rule("To the PACS", ruled.forward())
    study = ruled.bring()
    ruled.complete()
    ruled.bring(calling_ae="PACS")  # what we have sent comes again
    ruled.bring(calling_ae="PACS", series_uid="1.2.3.2", sop_uid="1.2.3.2.1", modality="SR")
    ruled.complete()
    assert len(ruled.deliveries()) == 1
    assert ruled.met(study)[0].effects[0].state == "done"
    ruled.bring(series_uid="1.2.3.3", sop_uid="1.2.3.3.1")
    ruled.bring(calling_ae="PACS", series_uid="1.2.3.2", sop_uid="1.2.3.2.2", modality="SR")
    ruled.complete()
    first, later = ruled.deliveries()
    with ruled.database.read() as session:
        assert (first.series_id, session.get_one(Series, later.series_id).series_uid) == (None, "1.2.3.3")
    ruled.bring(series_uid="1.2.3.2", sop_uid="1.2.3.2.3", modality="SR")
    ruled.complete()
    assert len(ruled.deliveries()) == 3, "a series that others bring, too, goes"


@pytest.mark.parametrize(
    ("sender", "back"),
    [({"calling_ae": ("Pacs",)}, True), ({"calling_ae": ("CT1",), "host": ("192.0.2.7",)}, False),
     ({"host": ("192.0.2.7",)}, True), ({"host": ("192.0.2.8",)}, False), ({}, False)],
)  # fmt: skip
def test_a_sender_is_known_by_its_title_and_without_one_by_its_address(
    sender: dict[str, tuple[str, ...]], *, back: bool
) -> None:
    assert came_from(Destination(ae_title="PACS", host="192.0.2.7"), [{}, sender]) is back
    assert not came_from(Destination(ae_title="PACS", host="127.0.0.1"), [{"host": ("127.0.0.1",)}]), "is many"


def test_what_fails_stops_nothing_else_is_told_and_is_done_the_next_time(ruled: Ruled) -> None:
    with ruled.database.write() as session:
        draft = DestinationDraft("Away", "AWAY", "127.0.0.1", 105)
        away = create_destination(session, ruled.clock, ruled.organisation_id, draft).id
    ruled.rule("First", {"kind": "blow"}, ruled.forward(away))
    ruled.rule("Then", ruled.forward())
    with ruled.database.write() as session:
        update_destination(
            session, ruled.organisation_id, away, DestinationDraft("Away", "AWAY", "h", 1, enabled=False)
        )
    study = ruled.bring()
    ruled.complete()
    first, then = ruled.met(study)
    assert [(one.state, one.trouble.code if one.trouble else "") for one in first.effects] == [
        ("failed", "rule-action-failed"), ("failed", "destination-off")
    ]  # fmt: skip
    assert [one.state for one in then.effects] == ["done"]
    assert [one["code"] for one in ruled.events("study.rule-failed")] == ["rule-action-failed", "destination-off"]
    with ruled.database.read() as session:
        assert service.tallies(session, ruled.organisation_id)[first.rule_id].failed == 1
    ruled.work.evaluate(ruled.organisation_id, study.id, "complete")
    assert ruled.blow.done == [study.id]
    assert [one.state for one in ruled.met(study)[0].effects] == ["done", "failed"]


def test_attributes_are_coerced_with_the_originals_kept_and_rules_after_it_see_that(ruled: Ruled) -> None:
    values = {"accession_number": "EXT-{accession_number}", "referring_physician": "Zuweiser^Extern"}
    ruled.rule("Theirs", {"kind": "coerce", "values": values}, when=[("calling_ae", "is", ["CT1"])])
    ruled.rule("Back", {"kind": "coerce", "values": {"referring_physician": "Weiß^Eva"}},
               when=[("ReferringPhysicianName", "contains", ["zuweiser"])])  # fmt: skip
    ruled.rule("Sent", ruled.forward(), when=[("AccessionNumber", "begins", ["EXT"])])
    study = ruled.bring()
    ruled.complete()
    row = ruled.door.study()
    assert (row.accession_number, row.referring_physician) == ("EXT-A-100", "Weiß^Eva")
    assert [one.rule_name for one in ruled.met(study)] == ["Theirs", "Back", "Sent"]
    changed = {one["name"]: (one["before"], one["after"]) for one in ruled.met(study)[0].effects[0].differences}
    assert changed["accession_number"] == ("A-100", "EXT-A-100")
    for _ in range(3):
        ruled.work.evaluate(ruled.organisation_id, study.id, "complete")
    assert ruled.door.study().accession_number == "EXT-A-100", "what a value was made of is not made of it again"
    assert [one["fields"] for one in ruled.events("study.correct")] == [
        ["accession_number", "referring_physician"], ["referring_physician"]
    ]  # fmt: skip


def test_what_would_be_made_of_an_empty_value_stays_as_it_is_and_that_is_said(ruled: Ruled) -> None:
    values = {"accession_number": "N-{accession_number}", "referring_physician": "Extern^Praxis"}
    ruled.rule("In part", {"kind": "coerce", "values": values})
    ruled.rule("Nothing", {"kind": "coerce", "values": {"accession_number": "M-{accession_number}"}}, ruled.forward())
    study = ruled.bring(accession="")
    ruled.complete()
    assert (ruled.door.study().accession_number, ruled.door.study().referring_physician) == ("", "Extern^Praxis")
    in_part, nothing = (one.effects[0] for one in ruled.met(study))
    assert (in_part.state, in_part.reason, in_part.facts["left"]) == (
        "done", "empty-placeholder-in-part", ["accession_number"]
    )  # fmt: skip
    assert (nothing.state, nothing.reason) == ("skipped", "empty-placeholder")


class Returned:
    """Objects that say which accession number they had, as Radrelay sent them on."""

    def header(self, ref: InstanceRef) -> Header:
        modified, original, data = Dataset(), Dataset(), Dataset()
        modified.AccessionNumber = "T0"
        original.ModifiedAttributesSequence = [modified]
        data.OriginalAttributesSequence = [original]
        written = DicomBytesIO()
        written.is_implicit_VR, written.is_little_endian = False, True
        write_dataset(written, data)
        return parse(written.getvalue(), "1.2.840.10008.1.2.1")


def test_what_has_come_back_under_its_new_number_gets_no_other_and_a_rule_that_is_changed_none(ruled: Ruled) -> None:
    values = {"accession_number": "N-{accession_number}", "description": "{accession_number} Knie"}
    rule = ruled.rule("Theirs", {"kind": "coerce", "values": values})
    back = RuleWork(ruled.database, ruled.clock, Returned(), ruled.kinds)
    ruled.bring(accession="N-T0")
    ruled.bring(study_uid="1.2.4", series_uid="1.2.4.1", sop_uid="1.2.4.1.1", accession="N-T1")
    ruled.clock.advance(timedelta(seconds=40))
    with ruled.database.write() as session:
        indexing.complete_quiet(session, ruled.clock.now())
    for uid in ("1.2.3", "1.2.4"):
        back.evaluate(ruled.organisation_id, ruled.door.study(uid).id, "complete")
    assert (ruled.door.study().accession_number, ruled.door.study().description) == ("N-T0", "T0 Knie")
    assert ruled.door.study("1.2.4").accession_number == "N-N-T1", "it was the sender's own number"
    actions = ({"kind": "coerce", "values": {"accession_number": "N-{accession_number}"}},)
    with ruled.database.write() as session:
        service.change_rule(
            session, ruled.organisation_id, rule.id, rule.revision, WantedRoutingRule("Theirs", (), actions),
            ruled.kinds, "root", ruled.clock.now(),
        )  # fmt: skip
    ruled.work.evaluate(ruled.organisation_id, ruled.door.study("1.2.4").id, "complete")
    assert ruled.door.study("1.2.4").accession_number == "N-N-T1"


def test_nothing_goes_out_by_a_rule_whose_coerce_fails_and_a_trial_says_so(ruled: Ruled) -> None:
    coerce = {"kind": "coerce", "values": {"accession_number": "NORD-{accession_number}"}}
    actions = (coerce, {"kind": "hold", "days": 5}, ruled.forward())
    rule = ruled.rule("Theirs", *actions)
    study = ruled.bring(accession="A-12345678901")
    ruled.complete()
    assert ruled.deliveries() == []
    told = [(one.kind, one.state, one.trouble and one.trouble.code) for one in ruled.met(study)[0].effects]
    assert told == [
        ("coerce", "failed", "correction-invalid"), ("hold", "done", None), ("forward", "failed", "correction-invalid")
    ]  # fmt: skip
    with ruled.database.read() as session:
        _, [tried] = Trial(session, ruled.clock, NoHeaders(), ruled.kinds).run(rule, [study.id])
    assert [(one.outcome.state, one.trouble and one.trouble.code) for one in tried.effects][::2] == [
        ("failed", "correction-invalid"), ("failed", "correction-invalid")
    ]  # fmt: skip


def test_nothing_is_sent_on_before_its_objects_say_what_was_coerced(ruled: Ruled) -> None:
    coerce = {"kind": "coerce", "values": {"patient_id": "N-{patient_id}"}}
    with pytest.raises(RuleInvalid):
        ruled.rule("Too late", ruled.forward(), coerce)
    ruled.rule("Theirs", coerce, ruled.forward())
    study = ruled.bring()
    ruled.complete()
    assert [(one.state, one.reason) for one in ruled.met(study)[0].effects] == [
        ("done", ""), ("skipped", "waits-for-correction")
    ]  # fmt: skip
    assert (ruled.due(), ruled.deliveries()) == (0, [])
    ruled.clock.advance(timedelta(seconds=21))
    assert (ruled.due(), ruled.due(), ruled.deliveries()) == (1, 0, []), "not written yet"
    with ruled.database.write() as session:
        for _, _, instance_id, _ in uncorrected.pending(session, 10):
            uncorrected.note_conforming(session, instance_id, 1)
    ruled.clock.advance(timedelta(seconds=40))
    assert (ruled.due(), len(ruled.deliveries())) == (1, 1)
    assert ruled.door.rows(RuleLook) == []


def test_what_cannot_be_written_anew_holds_its_study_back_for_an_hour_and_no_longer(ruled: Ruled) -> None:
    ruled.rule("Theirs", {"kind": "coerce", "values": {"patient_id": "N-{patient_id}"}}, ruled.forward())
    ruled.bring()
    ruled.complete()
    ruled.clock.advance(timedelta(minutes=58))
    assert (ruled.due(), ruled.deliveries()) == (1, [])
    ruled.clock.advance(timedelta(minutes=11))
    assert (ruled.due(), len(ruled.deliveries())) == (1, 1)


def test_a_rule_shows_a_study_as_it_arrives_and_keeps_it_as_long_as_it_says(ruled: Ruled) -> None:
    show = {"kind": "show", "group_id": str(ruled.group_id), "days": 3}
    ruled.rule("Show", show, {"kind": "hold", "days": 5, "reason": "teaching"}, when=CT, moment="arrival")
    ruled.rule("Keep", {"kind": "retain", "days": 30}, when=CT)
    with ruled.database.write() as session:
        access.add_member(session, ruled.organisation_id, ruled.group_id, "account", "nurse")
    study = ruled.bring()
    nurse = Principal("account", "nurse", "nurse", ruled.organisation_id, "user")
    assert (ruled.work.look_at_arriving(), ruled.work.look_at_arriving()) == (1, 0)
    with ruled.database.read() as session:
        seen = scope(session, nurse, Right.SEE, now=ruled.clock.now())
        assert list(session.scalars(sa.select(Study.id).where(seen.study_filter(Study.id)))) == [study.id]
    assert (ruled.door.study().held, len(ruled.met(study))) == (True, 1)
    ruled.complete()
    row = ruled.door.study()
    assert row.expires_at == row.last_received_at + timedelta(days=30)
    with ruled.database.write() as session:
        holdings.release(session, study.id, ruled.clock.now())
    ruled.bring(series_uid="1.2.3.2", sop_uid="1.2.3.2.1")
    ruled.work.look_at_arriving()
    ruled.complete()
    row = ruled.door.study()
    assert not row.held, "whoever released it is not gainsaid"
    assert row.expires_at == row.last_received_at + timedelta(days=30)
    assert [len(ruled.events(one)) for one in ("release.give", "study.hold", "study.retain")] == [1, 1, 2]


def test_the_members_of_a_group_are_written_to_once_and_no_letter_names_a_patient(ruled: Ruled) -> None:
    settings = MailSettings(host="127.0.0.1", sender="r@example.org")
    post = Post(settings, ruled.clock, bytes(32), "Klinikum")
    ruled.kinds = {**ruled.kinds, "notify": Notify(post, "https://pacs.example/")}
    ruled.work = ruled.restarted()
    with ruled.database.write() as session:
        for name, email in (("anna", "anna@example.org"), ("otto", None)):
            account = Account(
                organisation_id=ruled.organisation_id, username=name, username_folded=name, role="user",
                created_at=START, email=email, language="de",
            )  # fmt: skip
            session.add(account)
            session.flush()
            access.add_member(session, ruled.organisation_id, ruled.group_id, "account", str(account.id))
    ruled.rule("Knees", {"kind": "notify", "group_id": str(ruled.group_id)})
    study = ruled.bring()
    ruled.complete()
    ruled.work.evaluate(ruled.organisation_id, study.id, "complete")
    [letter] = ruled.door.rows(MailLetter)
    said = post.opened(letter)
    assert (letter.recipient, said.subject) == ("anna@example.org", "Klinikum: Eine Studie ist eingetroffen: Knees")
    assert f"https://pacs.example/view?study={study.id}" in said.text
    assert "Müller" not in said.text
    assert [one["letters"] for one in ruled.events("study.notify")] == [1]


def test_order_and_the_last_word_of_a_rule_are_kept_and_a_rule_switched_off_meets_nothing(ruled: Ruled) -> None:
    first = ruled.rule("First", {"kind": "hold"}, stop=True)
    second = ruled.rule("Second", ruled.forward())
    third = ruled.rule("Third", {"kind": "retain", "days": 9})
    study = ruled.bring()
    ruled.complete()
    assert [one.rule_name for one in ruled.met(study)] == ["First"]
    with ruled.database.write() as session:
        with pytest.raises(RuleOrderStale):
            service.order_rules(session, ruled.organisation_id, [first.id, second.id], ruled.clock.now())
        order = [second.id, first.id, third.id]
        service.order_rules(session, ruled.organisation_id, order, ruled.clock.now())
        assert [one.id for one in service.rules_of(session, ruled.organisation_id)] == order
    other = ruled.bring(study_uid="1.2.4", series_uid="1.2.4.1", sop_uid="1.2.4.1.1")
    ruled.complete()
    assert [one.rule_name for one in ruled.met(other)] == ["Second", "First"]
    with ruled.database.write() as session:
        for one in (first, second):
            service.switch_rule(session, ruled.organisation_id, one.id, "root", ruled.clock.now(), enabled=False)
    last = ruled.bring(study_uid="1.2.5", series_uid="1.2.5.1", sop_uid="1.2.5.1.1")
    ruled.complete()
    assert [one.rule_name for one in ruled.met(last)] == ["Third"]


def test_each_change_keeps_what_was_before_and_who_made_it(ruled: Ruled) -> None:
    rule = ruled.rule("A rule", {"kind": "hold"}, when=CT)
    wanted = WantedRoutingRule("A better rule", (), (ruled.forward(),))
    at = ruled.clock.now()
    with ruled.database.write() as session:
        made = service.change_rule(session, ruled.organisation_id, rule.id, 1, wanted, ruled.kinds, "eva", at)
        with pytest.raises(RoutingRuleChanged):
            service.change_rule(session, ruled.organisation_id, rule.id, 1, wanted, ruled.kinds, "eva", at)
        with pytest.raises(RoutingRuleNotFound):
            service.rule_of(session, uuid.uuid4(), rule.id)
        service.switch_rule(session, ruled.organisation_id, rule.id, "jo", at, enabled=False)
        service.delete_rule(session, ruled.organisation_id, rule.id, "jo", at)
        kept = service.revisions_of(session, ruled.organisation_id, rule.id)
    assert made.revision == 2
    assert [(one.revision, one.by, one.deleted, one.wanted["name"]) for one in kept] == [
        (4, "jo", True, "A better rule"), (3, "jo", False, "A better rule"), (2, "eva", False, "A better rule"),
        (1, "root", False, "A rule"),
    ]  # fmt: skip
    assert kept[-1].wanted["when"] == [{"field": "00080060", "test": "is", "values": ["CT"]}]


def test_what_a_rule_cannot_do_is_refused_as_it_is_made(ruled: Ruled) -> None:
    with ruled.database.write() as session:
        draft = DestinationDraft("Theirs", "THEIRS", "127.0.0.1", 106)
        foreign = create_destination(session, ruled.clock, uuid.uuid4(), draft).id
    for action in (
        {"kind": "nothing"}, {"kind": "retain"}, {"kind": "retain", "days": 0}, {"kind": "coerce", "values": {}},
        {"kind": "coerce", "values": {"study_uid": "1.2"}}, {"kind": "coerce", "values": {"patient_id": "{name}"}},
        {"kind": "forward", "destination_id": "x"}, {"kind": "hold", "dys": 3}, ruled.forward() | {"priority": 101},
    ):  # fmt: skip
        with pytest.raises(RuleInvalid):
            ruled.rule("A rule", action)
    for elsewhere in (ruled.forward(foreign), {"kind": "show", "group_id": str(uuid.uuid4())}):
        with pytest.raises(NotFound):
            ruled.rule("A rule", elsewhere)
    with pytest.raises(RuleInvalid):
        ruled.rule("Too soon", ruled.forward(), moment="arrival")
    with pytest.raises(RuleInvalid):
        ruled.rule("Nothing")


def test_a_rule_sends_as_urgently_as_a_person_may(ruled: Ruled) -> None:
    ruled.rule("Least", ruled.forward() | {"priority": -100})
    ruled.bring()
    ruled.complete()
    assert [one.priority for one in ruled.deliveries()] == [-100]


def test_a_trial_tells_what_would_come_of_it_and_does_nothing(ruled: Ruled) -> None:
    study = ruled.bring()
    ruled.bring(study_uid="1.2.4", series_uid="1.2.4.1", sop_uid="1.2.4.1.1", modality="MR")
    ruled.complete()
    values = {"description": "{description} (extern)", "patient_id": "4711"}
    actions = ({"kind": "coerce", "values": values}, {"kind": "retain", "days": 9}, ruled.forward())
    asked = ({"field": "Modality", "test": "is", "values": ["CT"]},)
    with ruled.database.read() as session:
        rule = service.draft(session, ruled.organisation_id, WantedRoutingRule("A rule", asked, actions), ruled.kinds,
                             "root", ruled.clock.now())  # fmt: skip
        ids = list(session.scalars(sa.select(Study.id)))
        count, found = Trial(session, ruled.clock, NoHeaders(), ruled.kinds).run(rule, ids)
    assert (count, [one.study_id for one in found]) == (2, [study.id])
    coerced, kept, sent = found[0].effects
    assert [(one.name, one.before, one.after) for one in coerced.outcome.differences] == [
        ("description", "CT Schädel", "CT Schädel (extern)")
    ]  # fmt: skip
    assert (kept.outcome.differences[0].name, sent.outcome.state) == ("expires_at", "done")
    assert (ruled.deliveries(), ruled.met(study), ruled.door.study().description) == ([], [], "CT Schädel")


def test_what_nobody_works_on_any_more_is_asked_again_and_what_grows_meanwhile_waits(ruled: Ruled) -> None:
    ruled.rule("To the PACS", ruled.forward())
    study = ruled.bring()
    ruled.clock.advance(timedelta(seconds=40))
    with ruled.database.write() as session:
        note_complete(session, indexing.complete_quiet(session, ruled.clock.now()), ruled.clock.now())
        [event] = outbox.open_events(session, [EVALUATE])
        outbox.mark_taken(session, [event.id], ruled.clock.now())  # and whoever took it gave up
    ruled.clock.advance(timedelta(minutes=6))
    assert (ruled.work.revive({study.id}), ruled.work.revive(), ruled.work.revive()) == (0, 1, 0)
    ruled.bring(series_uid="1.2.3.2", sop_uid="1.2.3.2.1")
    ruled.work.attempt(event)
    assert ruled.deliveries() == [], "it is arriving again"
    ruled.complete()
    assert [one.series_id for one in ruled.deliveries()] == [None]
    assert ruled.door.rows(RuleLook) == []


def test_an_attribute_that_cannot_be_read_just_now_is_not_taken_for_absent(ruled: Ruled) -> None:
    class Away:
        def header(self, ref: InstanceRef) -> Header:
            raise Unavailable

    ruled.rule("To the PACS", ruled.forward(), when=[("KVP", "absent", [])])
    study = ruled.bring()
    ruled.clock.advance(timedelta(seconds=40))
    with ruled.database.write() as session:
        indexing.complete_quiet(session, ruled.clock.now())
    with pytest.raises(Unavailable):
        RuleWork(ruled.database, ruled.clock, Away(), ruled.kinds).evaluate(ruled.organisation_id, study.id, "complete")
    assert ruled.deliveries() == []
    ruled.work.evaluate(ruled.organisation_id, study.id, "complete")
    assert len(ruled.deliveries()) == 1, "what is broken for good says nothing"


def test_who_has_restricted_processing_is_left_alone_and_what_is_deleted_takes_its_meetings_along(ruled: Ruled) -> None:
    ruled.rule("To the PACS", ruled.forward())
    study = ruled.bring()
    other = ruled.bring(study_uid="1.2.4", series_uid="1.2.4.1", sop_uid="1.2.4.1.1", patient_id="4712")
    bar = WantedBar("", "4711", "accuracy", "they say so", None, uuid.uuid4())
    with ruled.database.write() as session:
        access.bar(session, ruled.organisation_id, bar, "dpo", ruled.clock.now())
    ruled.complete()
    assert ([one.study_id for one in ruled.deliveries()], ruled.met(study)) == ([other.id], [])
    with ruled.database.write() as session:
        assert forget_gone(session, ruled.clock.now()) == 0
        assert not any_gone(session)
        deletion.delete_study(session, other.id, ruled.clock.now())
        assert any_gone(session)
        assert forget_gone(session, ruled.clock.now()) == 1
    assert (ruled.door.rows(RuleMeeting), ruled.deliveries()) == ([], [])


def test_after_a_restore_rules_look_and_what_they_send_is_held_until_a_person_says_so(ruled: Ruled) -> None:
    rule = ruled.rule("To the PACS", ruled.forward())
    done = ruled.bring()
    ruled.complete()
    owed = ruled.bring(study_uid="1.2.4", series_uid="1.2.4.1", sop_uid="1.2.4.1.1")
    ruled.clock.advance(timedelta(seconds=40))
    with ruled.database.write() as session:
        note_complete(session, indexing.complete_quiet(session, ruled.clock.now()), ruled.clock.now())
    arriving = ruled.bring(study_uid="1.2.5", series_uid="1.2.5.1", sop_uid="1.2.5.1.1")
    with ruled.database.write() as session:
        session.execute(sa.update(OutboxEvent).values(taken_at=None))  # as a restore has it
        service.change_rule(
            session, ruled.organisation_id, rule.id, 1,
            WantedRoutingRule("To the PACS", (), ({**ruled.forward(), "priority": 3},)), ruled.kinds, "eva",
            ruled.clock.now(),
        )  # fmt: skip
        assert hold_back(session, ruled.clock.now()) == HeldBack(deliveries=1, fetches=0, messages=0, owed=2, steps=0)
    assert (ruled.due(), ruled.complete()) == (1, 1)
    sent = {one.study_id: one for one in ruled.deliveries()}
    assert len(sent) == len(ruled.deliveries()) == 3, "what was looked at before is not looked at again"
    assert [(sent[one.id].state, sent[one.id].error_code) for one in (done, owed, arriving)] == [
        ("held", ""), ("held", "owed-after-restore"), ("held", "owed-after-restore")
    ]  # fmt: skip
    assert ruled.met(owed)[0].effects[0].reason == "held-after-restore"
    with ruled.database.write() as session:
        assert [one.kind for one in outbox.open_events(session, [deliveries.ATTEMPT])] == [deliveries.ATTEMPT]
        deliveries.retry_delivery(session, ruled.clock, ruled.organisation_id, sent[owed.id].id)
        assert len(outbox.open_events(session, [deliveries.ATTEMPT])) == 2
    ruled.bring(study_uid="1.2.5", series_uid="1.2.5.2", sop_uid="1.2.5.2.1")
    new = ruled.bring(study_uid="1.2.6", series_uid="1.2.6.1", sop_uid="1.2.6.1.1")
    ruled.complete()
    later = [one for one in ruled.deliveries() if one.id not in {row.id for row in sent.values()}]
    assert {one.study_id: one.state for one in later} == {arriving.id: "waiting", new.id: "waiting"}
    assert len(later) == 2


def test_after_a_restore_what_failed_is_held_when_it_goes_and_what_went_is_new_from_then_on(ruled: Ruled) -> None:
    draft = DestinationDraft("Away", "AWAY", "10.1.2.3", 104)
    with ruled.database.write() as session:
        away = create_destination(session, ruled.clock, ruled.organisation_id, replace(draft, enabled=False)).id
    ruled.rule("Both", ruled.forward(), {"kind": "forward", "destination_id": str(away)})
    study = ruled.bring()
    with ruled.database.write() as session:
        hold_back(session, ruled.clock.now())
    ruled.complete()
    assert [(one.destination_id, one.state) for one in ruled.deliveries()] == [(ruled.destination_id, "held")]
    assert [one.state for one in ruled.met(study)[0].effects] == ["done", "failed"]
    with ruled.database.write() as session:
        update_destination(session, ruled.organisation_id, away, draft)
    ruled.bring(series_uid="1.2.3.2", sop_uid="1.2.3.2.1")
    ruled.complete()
    later = {one.destination_id: one.state for one in ruled.deliveries()[1:]}
    assert later == {ruled.destination_id: "waiting", away: "held"}
    ruled.bring(series_uid="1.2.3.3", sop_uid="1.2.3.3.1")
    ruled.complete()
    assert [one.state for one in ruled.deliveries()[3:]] == ["waiting", "waiting"]


def test_what_is_unpacked_after_a_restore_is_owed_too_and_no_letter_is_written_of_it(ruled: Ruled) -> None:
    post = Post(MailSettings(host="127.0.0.1", sender="r@example.org"), ruled.clock, bytes(32), "Klinikum")
    ruled.kinds = {**ruled.kinds, "notify": Notify(post, "https://pacs.example/")}
    ruled.work = ruled.restarted()
    with ruled.database.write() as session:
        anna = Account(
            organisation_id=ruled.organisation_id, username="anna", username_folded="anna", role="user",
            created_at=START, email="anna@example.org", language="de",
        )  # fmt: skip
        session.add(anna)
        session.flush()
        access.add_member(session, ruled.organisation_id, ruled.group_id, "account", str(anna.id))
        parcel = Parcel(
            organisation_id=ruled.organisation_id, source_id=ruled.door.source.id, kind="upload", name="",
            state="unpacking", correlation_id="c", created_at=START,
        )  # fmt: skip
        session.add(parcel)
        session.flush()
        parcel_id = parcel.id
        hold_back(session, ruled.clock.now())
    ruled.rule("Tell and send", {"kind": "notify", "group_id": str(ruled.group_id)}, ruled.forward())
    study = ruled.bring()
    with ruled.database.write() as session:
        session.add(ParcelStudy(parcel_id=parcel_id, study_id=study.id))
    ruled.complete()
    assert [(one.state, one.reason) for one in ruled.met(study)[0].effects] == [
        ("skipped", "owed-in-backup"), ("done", "held-after-restore")
    ]  # fmt: skip
    assert (ruled.door.rows(MailLetter), [one.state for one in ruled.deliveries()]) == ([], ["held"])
    ruled.work.evaluate(ruled.organisation_id, study.id, "complete")
    assert len(ruled.door.rows(MailLetter)) == 1, "a person has asked the rules again"


def test_a_crash_before_the_end_of_an_action_does_it_once(ruled: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    ruled.rule("To the PACS", ruled.forward(), {"kind": "hold"})
    study = ruled.bring()

    class PowerLost(BaseException):
        pass

    def lost(*_: object, **__: object) -> None:
        raise PowerLost

    with monkeypatch.context() as patched:
        patched.setattr("radrelay.routing.rules.meetings.note", lost)
        with pytest.raises(PowerLost):
            ruled.complete()
    assert (ruled.deliveries(), ruled.met(study)) == ([], [])
    for work in (ruled.restarted(), ruled.restarted()):
        work.evaluate(ruled.organisation_id, study.id, "complete")
    assert (len(ruled.door.rows(Delivery)), ruled.door.study().held) == (1, True)
