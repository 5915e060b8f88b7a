"""The pages around the studies: deliveries, quarantine, destinations, sources, accounts, audit, system."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, until
from tests.frontend.fake_office import ago, nameless


def test_delivery_shows_progress_and_can_be_retried_and_its_receipts_read(open_page: OpenPage, site: Site) -> None:
    page = open_page("/deliveries")
    failed = page.locator("[data-delivery=d3]")
    for said in ("90 / 94", "Müller, Anna-Luise", "P10001", "CT Thorax mit KM", "24 Aug 2024"):
        expect(failed).to_contain_text(said)
    failed.get_by_role("button", name="Retry").click()
    failed.get_by_role("button", name="Receipts").click()
    sheet = page.get_by_role("dialog")
    for said in ("Müller, Anna-Luise", "PACS Nord", "Accepted", "Series 2, image 1", "Accepted with a remark",
                 "No room there", "0xA700", "No answer", "The other side says: out of resources", "Not sent",
                 "The node takes this object in none of the forms"):  # fmt: skip
        expect(sheet).to_contain_text(said)
    until(lambda: ("POST /api/deliveries/d3/retry", {}) in site.world.office.calls, "another try")
    page.keyboard.press("Escape")
    page.locator("[data-delivery=d0]").get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-delivery=d0]")).to_be_visible()
    until(lambda: ("POST /api/deliveries/d0/cancel", {}) in site.world.office.calls, "the end of it")


def test_delivery_that_a_restore_held_goes_out_when_it_is_released(open_page: OpenPage, site: Site) -> None:
    page = open_page("/deliveries", language="de")
    held = page.locator("[data-delivery=d4]")
    for said in ("Angehalten", "wiederhergestellten Sicherung", "noch nicht begonnen", "24.08.2024"):
        expect(held).to_contain_text(said)
    held.get_by_role("button", name="Freigeben").click()
    until(lambda: ("POST /api/deliveries/d4/retry", {}) in site.world.office.calls, "the release")


def test_what_stands_against_a_delivery_or_a_destination_is_said_in_the_readers_language(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page("/deliveries", language="de")
    expect(page.locator("[data-delivery=d2]")).to_contain_text("Unter 10.1.2.3:104 nimmt niemand an.")
    expect(page.locator("[data-delivery=d3]")).to_contain_text("4 von 94 Objekten wurden abgelehnt.")
    page.locator("[data-delivery=d3]").get_by_role("button", name="Quittungen").click()
    sheet = page.get_by_role("dialog")
    for said in ("Nicht gesendet", "in keiner Form an", "Die Gegenseite sagt: out of resources", "MEZ"):
        expect(sheet).to_contain_text(re.compile(said.replace("MEZ", "ME(S)?Z")))
    page.goto(site.address + "/destinations")
    page.get_by_role("button", name="Prüfen").nth(1).click()
    expect(page.get_by_role("dialog").get_by_text("Unter 10.1.2.3:104 nimmt niemand an.")).to_be_visible()
    for english in ("nothing listens", "transfer syntaxes"):
        expect(page.locator("body")).not_to_contain_text(english, ignore_case=True)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 740)])
def test_quarantine_with_long_file_names_fits_the_page(
    open_page: OpenPage, site: Site, width: int, height: int, language: str
) -> None:
    site.world.office.nameless.append(nameless("q2", file_name="_".join(["very_long_name"] * 20) + ".dcm"))
    page = open_page("/quarantine", width=width, height=height, language=language)
    expect(page.locator("td", has_text="very_long_name").first).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_quarantined_object_is_looked_at_released_and_deleted(open_page: OpenPage, site: Site) -> None:
    page = open_page("/quarantine")
    expect(page.locator("td", has_text="DICOM").first).to_be_visible()
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("dialog")).to_contain_text("1.2.826.0.1.3680043.1.9.1")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Release").click()
    for said in ("Mueller, Anna", "P99999", "Müller, Anna-Luise", "P10001", "14 Mar 1961", "same person"):
        expect(page.get_by_role("dialog")).to_contain_text(said)
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(page.get_by_text("The object is released.")).to_be_visible()
    released = ("POST /api/quarantine/q1/release", {"as": "as-received"})
    until(lambda: released in site.world.office.calls, "the release")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing in quarantine")).to_be_visible()


def test_object_without_identity_is_released_into_a_patients_new_study(open_page: OpenPage, site: Site) -> None:
    site.world.office.nameless.append(nameless("q2"))
    site.world.office.released.append(
        nameless("q3", released_at=ago(hours=1), identifiable=False, new_study_uid="2.25.77", new_sop_uid="2.25.78")
    )
    page = open_page("/quarantine")
    row = page.get_by_role("row", name="CD1/IM000231")
    expect(row).to_contain_text("No identity")
    expect(row.get_by_role("button", name="Release")).to_have_count(0)
    row.get_by_role("button", name="New identity").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("a new study of a patient who is here").check()
    expect(dialog.get_by_role("button", name="Release")).to_be_disabled()
    dialog.get_by_label("Patient or study").fill("Müller")
    dialog.get_by_role("group", name="Study", exact=True).get_by_role("radio").first.check()
    dialog.get_by_label("Reason").fill("film of the ward")
    dialog.get_by_role("button", name="Release").click()
    expect(page.get_by_text("The object is released with its new identity.")).to_be_visible()
    ((_, sent),) = [call for call in site.world.office.calls if call[0] == "POST /api/quarantine/q2/release"]
    assert (sent["as"], sent["into"], sent["reason"]) == ("new-identity", "patient", "film of the ward")
    assert sent["study_id"]
    page.get_by_role("listitem").filter(has_text="CD1").get_by_role("button", name="Look").click()
    expect(page.get_by_role("dialog")).to_contain_text("2.25.77")
    expect(page.get_by_role("dialog")).to_contain_text("No picture can be shown of it.")


def test_destination_is_added_tried_paused_and_removed(open_page: OpenPage, site: Site) -> None:
    page = open_page("/destinations")
    expect(page.locator("[data-destination=dest-2]")).to_contain_text(
        re.compile("Down, noticed 5 hr. ago.*3 deliveries wait")
    )
    page.get_by_role("button", name="New destination").click()
    form = page.get_by_role("dialog")
    for name, value in {"name": "Labor", "ae_title": "LABOR", "host": "10.0.0.9", "port": "4242"}.items():
        form.locator(f"input[name={name}]").fill(value)
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("10.0.0.9:4242")).to_be_visible()
    rows = page.locator("tbody tr")
    rows.nth(0).get_by_role("button", name="Test").click()
    trial = page.get_by_role("dialog")
    expect(trial).to_contain_text("Issued to CN=pacs.nord.example by CN=Klinik CA")
    expect(trial).to_contain_text("94 days more")
    trial.get_by_role("button", name="Send a test object").click()
    expect(trial).to_contain_text("Study 2.25.4711")
    page.keyboard.press("Escape")
    rows.nth(0).get_by_role("button", name="Pause").click()
    until(lambda: ("POST /api/destinations/dest-1/pause", {}) in site.world.office.calls, "the pause")
    rows.nth(2).get_by_role("button", name="Delete Labor").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(2)


def test_source_keeps_its_retention_in_people_s_units(open_page: OpenPage, site: Site) -> None:
    page = open_page("/sources")
    row = page.locator("tbody tr").nth(2)
    expect(row).to_contain_text("7 days")
    row.get_by_role("button", name="Edit Upload").click()
    form = page.get_by_role("dialog")
    form.get_by_role("spinbutton", name="Kept for").fill("14")
    form.get_by_label("Until deleted").check()
    form.get_by_label("Until deleted").uncheck()
    form.get_by_role("spinbutton", name="Kept for").fill("10")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    [sent] = [call for call in site.world.office.calls if call[0] == "PATCH /api/sources/s3"]
    assert sent[1]["retention_s"] == 10 * 86_400
    assert sent[1]["max_age_s"] == 30 * 86_400
    assert not {"kind", "id", "created_at"} & set(sent[1])


def test_account_and_token_show_their_secrets_once(open_page: OpenPage, site: Site) -> None:
    page = open_page("/accounts")
    page.get_by_role("button", name="New account").click()
    page.locator("input[name=account_username]").fill("neumann")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_contain_text("ein-mal-passwort")
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="New token").click()
    page.locator("input[name=token_name]").fill("Scanner")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog")).to_contain_text("rr_geheim_0123456789abcdef")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_contain_text("rr_geheim_0123456789abcdef")


def test_audit_and_system_tell_what_they_know(open_page: OpenPage, site: Site) -> None:
    page = open_page("/audit")
    expect(page.get_by_text("study.forward")).to_be_visible()
    expect(page.locator("td").get_by_text("Sending of a study asked for")).to_be_visible()
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text("All 4,211 events are there, unchanged.")).to_be_visible()
    expect(page.get_by_text("Last proven whole")).to_be_visible()
    expect(page.get_by_text("17 events wait for the audit repository")).to_be_visible()
    expect(page.get_by_text("about patients 2,192 days")).to_be_visible()
    page.get_by_placeholder("Who (name or id)").fill("anna")
    page.get_by_label("Action").select_option("Study downloaded")
    page.get_by_role("button", name="Search").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="As table (CSV)").click()
    assert taken.value.path().read_text().splitlines()[1] == "form=csv&action=study.download&actor=anna"
    german = open_page("/audit", language="de")
    row = german.locator("tr").filter(has_text="request.change")
    expect(row.get_by_text("Grund:")).to_have_count(2)  # two details whose names are one word
    row.get_by_role("button").first.click()  # further to all of this patient, or this study
    expect(german.get_by_placeholder("Patienten-ID")).not_to_have_value("")
    expect(german.get_by_text("Nur, was Patienten-ID P10001 von KLINIKUM betrifft.")).to_be_visible()
    kept = german.get_by_role("link", name="Als Tabelle (CSV)")
    expect(kept).to_have_attribute("href", "/api/audit/export?form=csv&patient_id=P10001&issuer=KLINIKUM")
    german.get_by_placeholder("Patienten-ID").fill("P10002")  # whose ID that is, nobody has said
    german.get_by_role("button", name="Suchen").click()
    expect(kept).to_have_attribute("href", "/api/audit/export?form=csv&patient_id=P10002")
    page.goto(site.address + "/system")
    expect(page.get_by_text("127.0.0.1:11112")).to_be_visible()
    expect(page.get_by_text("Background work")).to_be_visible()
