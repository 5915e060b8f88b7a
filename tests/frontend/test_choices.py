"""Addresses of the viewer that name no study by id: on to the one, a choice of several, or why there is none."""

from __future__ import annotations

import uuid

from playwright.sync_api import expect

from tests.frontend.conftest import OpenPage, Site, until, where


def test_an_accession_number_opens_its_study_and_leaves_the_address(open_page: OpenPage, site: Site) -> None:
    page = open_page("/view?accession=A1")
    until(lambda: where(page).endswith(f"/view?study={uuid.UUID(int=3)}"), "the study's own address")
    expect(page.locator(".pane[data-ready=true]")).to_be_visible()


def test_an_id_of_two_people_warns_and_lets_a_person_choose(open_page: OpenPage, site: Site) -> None:
    page = open_page("/view?patient=4711")
    expect(page.get_by_role("alert")).to_contain_text("2 different patients")
    expect(page.get_by_role("region")).to_have_count(2)
    expect(page.get_by_text("ID issued by PRAXIS B")).to_be_visible()
    page.get_by_role("region").nth(1).get_by_role("link").click()
    until(lambda: where(page).endswith(f"/view?study={uuid.UUID(int=4)}"), "the chosen study")


def test_the_choice_fits_a_phone_in_german(open_page: OpenPage, site: Site) -> None:
    page = open_page("/view?patient=4711", width=360, height=640, language="de", touch=True)
    expect(page.get_by_role("heading", name="Welche Studie?")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert all(link.bounding_box()["height"] >= 44 for link in page.get_by_role("link").all())  # type: ignore[index]


def test_nothing_found_says_so_and_leads_to_the_list(open_page: OpenPage, site: Site) -> None:
    page = open_page("/view?accession=NONE")
    expect(page.get_by_text("No study here matches this address")).to_be_visible()
    page.get_by_role("link", name="To the study list").click()
    expect(page.locator("#study-search")).to_be_visible()


def test_who_logs_in_first_lands_at_the_same_address(open_page: OpenPage, site: Site) -> None:
    site.world.logged_in = False
    page = open_page("/view?accession=A1")
    page.get_by_label("User name").fill("weber")
    page.get_by_label("Password").fill("korrekt-pferd-batterie")
    page.get_by_role("button", name="Log in").click()
    until(lambda: where(page).endswith(f"/view?study={uuid.UUID(int=3)}"), "the study's own address")
