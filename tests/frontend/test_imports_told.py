"""What the pages of imports tell of papers, of people who may be one, and of somebody whom the reader may not see."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import imagecodecs
import numpy as np
import segno
from playwright.sync_api import FilePayload, expect

from tests.frontend.conftest import OpenPage, Site, settled, until
from tests.frontend.fake_imports import Row, finding, fitting, stopped
from tests.frontend.fake_office import ago
from tests.frontend.test_imports_page import FAILED, FITS, STOPPED
from tests.pages import violations


def paper(name: str, kind: str = "document", **told: object) -> Row:
    return {"file_name": name, "kind": kind, "study_uid": "", "why": "", "filed": False, "here": False, **told}


def test_papers_are_called_as_on_the_medium_and_what_is_here_is_not_announced(open_page: OpenPage, site: Site) -> None:
    one = fitting(2)
    one["persons"][0]["papers"] = [
        paper("86c647a5.zip/Befund.pdf", study_uid="1", here=True), paper("86c647a5.zip/Brief.pdf", study_uid="1"),
    ]  # fmt: skip
    one["papers"] = [paper(f"86c647a5.zip/INFO/{number}.txt", "other") for number in range(12)]
    one["findings"].append(finding("passed", "viewer-files", files=1, left="86c647a5.zip/README.TXT"))
    site.world.imports.cases[1] = one
    page = open_page(FITS, width=360, height=740, language="de", touch=True)
    papers = page.locator("[data-person] li.small .told")
    expect(papers.filter(has_text="Befund.pdf")).to_have_text(
        "Befund.pdf ist schon hier und wird nicht noch einmal abgelegt"
    )
    expect(papers.filter(has_text="Brief.pdf")).to_have_text("Brief.pdf kommt als eigene Serie zur Studie")
    out = page.locator("[data-person]").get_by_role("button", name="weglassen")
    expect(out).to_have_count(1)
    expect(out).to_have_accessible_name("Brief.pdf weglassen")
    expect(papers.get_by_role("link", name="Brief.pdf")).to_have_attribute(
        "href", re.compile(r"/papers\?name=86c647a5")
    )
    others = page.locator("[data-others]")
    expect(others).to_have_text("12 weitere Dateien des Mediums bleiben beim Paket", use_inner_text=True)
    others.locator("summary").click()
    expect(others).to_contain_text("INFO/11.txt")
    expect(page.get_by_text("86c647a5")).to_have_count(0)
    settled(page, site)
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_of_several_imports_that_wait_for_one_patient_it_is_said_which_is_which(
    open_page: OpenPage, site: Site
) -> None:
    world = site.world.imports
    head = {"studies": 1, "study_date": "2026-02-01", "modalities": ["MR"], "description": "MRT Kopf"}
    world.cases.append({**fitting(9), "came": head})
    one, *others = world.patients
    more = {**one["waiting"][0], "id": str(uuid.UUID(int=7009)), "objects": 12, "also": 0}
    world.patients = [{**one, "waiting": [*one["waiting"], more]}, *others]
    page = open_page("/imports", width=360, height=740, language="de", touch=True)
    waits = page.locator("section.today [data-patient]")
    expect(waits.first.locator("[data-which]")).to_have_text(
        ["01.03.2026 · CT · CT Thorax mit KM", "01.02.2026 · MR · MRT Kopf"]
    )
    expect(waits.nth(1).locator("[data-which]")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_nobody_waits_for_the_next_try_of_a_portal_that_does_not_answer(open_page: OpenPage, site: Site) -> None:
    one = site.world.imports.cases[0]
    facts = {"host": "portal.klinik-nord.example", "next_attempt_at": ago(minutes=-5)}
    one |= {"bytes_received": 0, "bytes_expected": None}
    one["error"] = {"code": "portal-unreachable", "detail": "", "facts": facts}
    page = open_page(f"/imports/{one['id']}", language="de")
    expect(page.get_by_text("Es wird von selbst erneut versucht")).to_have_text(
        re.compile(r"versucht: in \d Min\.\s*$")
    )
    page.get_by_role("button", name="Von Hand holen").click()
    until(lambda: [name for name, _ in site.world.imports.calls] == ["by-hand"], "it is fetched by hand")


def test_two_who_may_be_one_are_named_both(open_page: OpenPage, site: Site) -> None:
    one = stopped(3)
    pair = {
        "one_name": "Müller^Anna", "one_born": "1978-12-24", "one_id": "EXT-88", "one_issuer": "",
        "other_name": "", "other_born": "", "other_id": "", "other_issuer": "",
    }  # fmt: skip
    more = finding("look", "more-perhaps-one-person", pairs=2)
    one["findings"] += [finding("look", "perhaps-one-person", **pair), more]
    site.world.imports.cases[2] = one
    page = open_page(STOPPED, language="de")
    expect(page.locator("li[data-code=perhaps-one-person]")).to_have_text(
        "Diese beiden können dieselbe Person sein: bitte vergleichen. "
        "Müller, Anna, geboren 24.12.1978, ID EXT-88 / Ohne Namen"
    )
    expect(page.locator("li[data-code=more-perhaps-one-person]")).to_contain_text("2 weitere Paare")


def test_somebody_whom_the_reader_may_not_see_is_said_to_be_there_and_left_to_a_colleague(
    open_page: OpenPage, site: Site
) -> None:
    one, filed = fitting(2), fitting(3)
    for case in (one, filed):
        case["persons"][0] |= {"unseen": True, "candidates": [], "stopped": True}
    one["persons"][0]["findings"].insert(0, finding("stop", "somebody-unseen"))
    filed |= {"state": "filed", "filed_under": [{"name": "", "patient_id": ""}]}
    filed["persons"][0] |= {"state": "filed", "filed_at": filed["created_at"], "filed_by": "weber"}
    site.world.imports.cases[1:3] = [one, filed]
    page = open_page("/imports", width=360, height=740, language="de", touch=True)
    row = page.locator(f"[data-import='{filed['id']}']")
    expect(row).to_contain_text("jemand, den Sie nicht sehen dürfen kam als Müller, Anna Luise")
    page.goto(site.address + FITS)
    expect(page.locator("[data-unseen]")).to_contain_text("Jemand aus Ihrem Haus hat eine Person gewählt")
    expect(page.locator("[data-code=somebody-unseen]")).to_contain_text("Überlassen Sie das")
    expect(page.locator("input[name=patient_id], button.file")).to_have_count(0)
    expect(page.get_by_role("button", name="Aufgeben")).to_have_count(0)
    settled(page, site)
    assert violations(page) == []
    page.goto(site.address + STOPPED)
    expect(page.get_by_text("Abgelegt unter jemandem, den Sie nicht sehen dürfen")).to_be_visible()
    for action in ("Zurücknehmen", "Paket löschen"):
        expect(page.get_by_role("button", name=action)).to_have_count(0)
    assert "undefined" not in page.locator("main").inner_text()


def test_a_recording_that_is_chosen_where_imports_begin_is_no_import(
    open_page: OpenPage, site: Site, tmp_path: Path
) -> None:
    walk, disc = tmp_path / "portal.har", tmp_path / "CD.zip"
    for one in (walk, disc):
        one.write_bytes(b"{}")
    page = open_page("/imports", language="de")
    choose = page.locator("form.card input[type=file]").first
    choose.set_input_files(walk)
    expect(page.locator("[data-walk]")).to_contain_text("„Dieses Portal als Rezept aufzeichnen“")
    expect(page.locator("[data-picked]")).to_have_count(0)
    choose.set_input_files(disc)
    expect(page.locator("[data-picked]")).to_contain_text("CD.zip")
    expect(page.locator("[data-walk]")).to_have_count(0)
    page.get_by_role("button", name="Etwas anderes").click()
    choose = page.locator("form.card input[type=file]").first
    three = [FilePayload(name=f"{at}.dcm", mimeType="", buffer=b"x") for at in range(3)]
    choose.set_input_files(three)
    expect(page.locator("[data-picked] strong")).to_have_text("0.dcm und 2 weitere")


def test_what_is_chosen_after_something_else_takes_its_place_and_says_so_or_joins_it(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page("/imports", width=360, height=740, language="de", touch=True)
    choose = page.locator("form.card input[type=file]").first
    choose.set_input_files([FilePayload(name="CT.zip", mimeType="", buffer=b"ct")])
    expect(page.locator("[data-before]")).to_have_count(0)
    choose.set_input_files([FilePayload(name=f"{at}.dcm", mimeType="", buffer=b"x") for at in range(2)])
    expect(page.locator("[data-picked] strong")).to_have_text("0.dcm und 1 weitere")
    expect(page.locator("[data-before] span")).to_have_text("„CT.zip“ war vorher gewählt und kommt jetzt nicht mit.")
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Beides hochladen").click()
    expect(page.locator("[data-picked] strong")).to_have_text("CT.zip und 2 weitere")
    expect(page.locator("[data-before]")).to_have_count(0)
    page.locator("form.card label").filter(has_text="Behandlung").click()
    page.get_by_text("Ich bestätige").click()
    page.get_by_role("button", name="Hochladen und prüfen").click()
    calls = site.world.imports.calls
    until(lambda: "done" in dict(calls), "no more follow")
    assert sorted(told for what, told in calls if what == "files") == ["0.dcm", "1.dcm", "CT.zip"]


def test_a_photo_of_the_paper_that_is_dropped_gives_its_link(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    link, photo, scan = "https://portal.klinik-nord.example/?token=ABC", tmp_path / "IMG_2231.png", tmp_path / "CT.png"
    segno.make(link, error="m").save(str(photo), scale=6, border=4)
    scan.write_bytes(bytes(imagecodecs.png_encode(np.full((300, 200), 128, np.uint8))))
    page = open_page("/imports", language="de")
    choose = page.locator("form.card input[type=file]").first
    choose.set_input_files(photo)
    expect(page.locator("textarea[name=link]")).to_have_value(link)
    expect(page.locator("[data-read-from]")).to_contain_text("aus dem Foto „IMG_2231.png“ gelesen")
    settled(page, site)
    assert violations(page) == []
    page.get_by_role("button", name="Das Foto doch als Datei bringen").click()
    expect(page.locator("[data-picked]")).to_contain_text("IMG_2231.png")
    page.get_by_role("button", name="Etwas anderes").click()
    expect(page.locator("textarea[name=link]")).to_have_value("")
    choose.set_input_files(scan)
    expect(page.locator("[data-picked]")).to_contain_text("CT.png")
    choose.set_input_files(photo)
    expect(page.locator("textarea[name=link]")).to_have_value(link)


def test_what_cannot_succeed_is_not_offered_and_what_can_leads(open_page: OpenPage, site: Site) -> None:
    row = site.world.imports.cases[3]
    row["questions"] = site.world.imports.cases[4]["questions"]
    row["error"] = {"code": "portal-answer-wrong", "detail": "", "facts": {"left": 0}}
    page = open_page(FAILED, width=360, height=740, language="de", touch=True)
    expect(page.locator("[data-way=spent]")).to_contain_text("um einen neuen Link")
    expect(page.locator("form")).to_have_count(0)
    expect(page.get_by_role("button", name="Erneut versuchen")).to_have_count(0)
    row["error"] = {"code": "portal-unclear", "detail": "", "facts": {}}
    page.reload()
    expect(page.locator("[data-way=by-hand]")).to_be_visible()
    expect(page.locator("button.primary")).to_have_text("Von Hand holen")
    settled(page, site)
    assert violations(page) == []
    row |= {"state": "receiving", "connector": "guided", "error": None}
    page.reload()
    expect(page.locator("[data-state=receiving]")).to_have_text("Wartet auf Dateien")
