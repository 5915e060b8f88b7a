"""Whose study a delivery carries is told to who may know it, and to nobody else."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta

import pydicom
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.archive.models import Instance
from radrelay.routing import deliveries
from radrelay.routing.deliveries import Receipt
from radrelay.routing.models import Delivery
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import CT, anna, file_bytes, grant_to, revoke_all, upload, upload_bytes

__all__ = ["anna"]


def order(site: WebSite, anna: Login) -> str:
    """Enter a destination, upload a study and ask for its delivery; returns the delivery's id."""
    root = site.login("root")
    body = {"name": "PACS", "ae_title": "PACS", "host": "pacs.local", "port": 104}
    made = root.http.post("/api/destinations", json=body, headers=root.headers).json()
    upload(site, anna, CT)
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    wanted = {"study_id": study, "destination_id": made["id"]}
    asked = anna.http.post("/api/deliveries", json=wanted, headers=anna.headers)
    assert asked.status_code == 201, asked.text
    number: str = asked.json()["id"]
    return number


def test_delivery_says_whose_study_it_carries(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    study = anna.http.get("/api/studies").json()["studies"][0]
    (listed,) = anna.http.get("/api/deliveries").json()["deliveries"]
    for shown in (listed, anna.http.get(f"/api/deliveries/{number}").json()):
        assert shown["patient_name"] == study["patient"]["name"] == "CompressedSamples^CT1"
        assert shown["patient_id"] == study["patient"]["id"]
        assert (shown["description"], shown["study_date"]) == (study["description"], study["study_date"])
        assert (shown["series_number"], shown["series_description"]) == (None, "")


def test_what_is_under_way_is_not_sent_twice_unless_something_came_since(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    (listed,) = anna.http.get("/api/deliveries").json()["deliveries"]
    wanted = {"study_id": listed["study_id"], "destination_id": listed["destination_id"]}

    def again(**more: object) -> tuple[int, bool, bool]:
        answer = anna.http.post("/api/deliveries", json=wanted | more, headers=anna.headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.status_code, answer.json()["already"], answer.json()["id"] == number

    def begin(at: timedelta) -> None:
        with site.database.write() as session:
            row = session.get_one(Delivery, uuid.UUID(number))
            row.state, row.attempts, row.created_at = "sending", 1, site.clock.now() + at

    assert again(priority=7) == (200, True, True)
    assert anna.http.get(f"/api/deliveries/{number}").json()["priority"] == 7
    begin(timedelta(minutes=1))
    assert again() == (200, True, True)
    begin(timedelta(minutes=-1))
    assert again() == (201, False, False), "images came since"


def test_delivery_of_a_series_says_which_one(site: WebSite, anna: Login) -> None:
    order(site, anna)
    study = anna.http.get("/api/studies").json()["studies"][0]
    (series,) = anna.http.get(f"/api/studies/{study['id']}").json()["series"]
    destination = anna.http.get("/api/destinations").json()["destinations"][0]["id"]
    wanted = {"series_id": series["id"], "destination_id": destination}
    asked = anna.http.post("/api/deliveries", json=wanted, headers=anna.headers).json()
    assert asked["series_number"] == series["number"]
    assert asked["series_description"] == series["description"]


def test_receipt_says_which_image_of_which_series_it_is_for(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    sent = pydicom.dcmread(io.BytesIO(file_bytes(CT)), stop_before_pixels=True)
    with site.database.write() as session:
        kept = session.execute(sa.select(Instance.id, Instance.sop_uid)).one()
        delivery = session.get_one(Delivery, uuid.UUID(number))
        gone = Receipt(uuid.uuid4(), "1.2.3", 0x0122, "no such class", "")
        receipts = [Receipt(kept.id, kept.sop_uid, 0, "", "1.2.840.10008.1.2.1"), gone]
        deliveries.record_receipts(session, site.clock, delivery, receipts, 2)
    shown = anna.http.get(f"/api/deliveries/{number}").json()["receipts"]
    by_uid = {one["sop_uid"]: (one["series_number"], one["instance_number"]) for one in shown}
    assert by_uid == {kept.sop_uid: (sent.SeriesNumber, sent.InstanceNumber), "1.2.3": (None, None)}


def test_who_knows_patients_by_alias_reads_the_alias_in_deliveries(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    revoke_all(site)
    grant_to(site, anna, Target("organisation"), *Right, identity="alias")
    alias = anna.http.get("/api/studies").json()["studies"][0]["patient"]["name"]
    listed = anna.http.get("/api/deliveries")
    assert listed.json()["deliveries"][0]["patient_name"] == alias
    assert alias.startswith("Patient ")
    assert "CompressedSamples" not in listed.text + anna.http.get(f"/api/deliveries/{number}").text


def test_who_may_forward_little_finds_it_behind_the_many_deliveries_of_others(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    upload(site, anna, "MR_small.dcm")
    other = next(one["id"] for one in anna.http.get("/api/studies").json()["studies"] if one["id"] != study)
    destination = anna.http.get("/api/destinations").json()["destinations"][0]["id"]
    for _ in range(3):
        site.clock.advance(timedelta(seconds=1))
        wanted = {"study_id": other, "destination_id": destination}
        made = anna.http.post("/api/deliveries", json=wanted, headers=anna.headers)
        assert made.status_code == 201
        assert anna.http.post(f"/api/deliveries/{made.json()['id']}/cancel", headers=anna.headers).status_code == 200
    revoke_all(site)
    grant_to(site, anna, Target("study", uuid.UUID(study)), *Right)
    assert [one["id"] for one in anna.http.get("/api/deliveries?limit=2").json()["deliveries"]] == [number]


def test_delivery_of_a_study_out_of_reach_is_not_there(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    revoke_all(site)
    grant_to(site, anna, Target("study", uuid.uuid4()), *Right)
    assert anna.http.get("/api/deliveries").json()["deliveries"] == []
    assert anna.http.get(f"/api/deliveries/{number}").status_code == 404
    for action in ("cancel", "retry"):
        assert anna.http.post(f"/api/deliveries/{number}/{action}", headers=anna.headers).status_code == 404


def test_who_may_forward_one_series_does_not_send_the_whole_study_again(site: WebSite, anna: Login) -> None:
    number = order(site, anna)
    assert anna.http.post(f"/api/deliveries/{number}/cancel", headers=anna.headers).status_code == 200
    study = anna.http.get("/api/studies").json()["studies"][0]["id"]
    (series,) = anna.http.get(f"/api/studies/{study}").json()["series"]
    other = pydicom.dcmread(io.BytesIO(file_bytes(CT)))
    other.SeriesInstanceUID = pydicom.uid.UID("1.2.826.0.1.3680043.10.1.3")
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.826.0.1.3680043.10.1.4")
    written = io.BytesIO()
    other.save_as(written)
    upload_bytes(site, anna, {"other.dcm": written.getvalue()})
    revoke_all(site)
    grant_to(site, anna, Target("series", uuid.UUID(series["id"])), *Right)
    answer = anna.http.post(f"/api/deliveries/{number}/retry", headers=anna.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "part-only")
    grant_to(site, anna, Target("study", uuid.UUID(study)), *Right)
    assert anna.http.post(f"/api/deliveries/{number}/retry", headers=anna.headers).status_code == 200
