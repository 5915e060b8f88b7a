"""A study is shared at a desk, and opened on a phone that was never here."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from radrelay.dicom import phantoms
from tests.pages import violations
from tests.viewer.conftest import Pages, ready, until
from tests.viewer.hospital import USER, Hospital, Sent

PHONE: dict[str, Any] = {"width": 360, "height": 640, "touch": True, "login": False, "language": "de"}


@pytest.fixture(scope="module")
def sent(hospital: Hospital) -> Sent:
    [found] = hospital.send(phantoms.study("ct-head", seed=951, slices=4, size=128))
    return found


def name_of(hospital: Hospital, sent: Sent) -> str:
    detail = hospital.installation.get(f"/api/studies/{sent.id}")
    return str(detail["patient"]["name"]).split("^")[0]


def share(page: Page, *, times: str = "as often as needed", question: str = "", download: bool = False) -> str:
    """Make a link from the viewer's page, and return its address."""
    page.get_by_role("button", name="Share").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Opens").select_option(label=times)
    dialog.get_by_role("radio", name=question or "nothing").check()
    if download:
        dialog.get_by_role("checkbox", name="May save").check()
    assert violations(page) == []
    dialog.get_by_role("button", name="Make link").click()
    address = dialog.get_by_role("textbox", name="Link")
    expect(address).to_be_visible()
    until(
        lambda: dialog.get_by_role("img", name="QR").evaluate("one => one.complete && one.naturalWidth > 0"), "the code"
    )
    assert violations(page) == []
    return address.input_value()


def test_a_shared_study_shows_its_first_picture_on_a_phone_until_it_is_revoked(
    open_page: Pages, hospital: Hospital, sent: Sent
) -> None:
    desk = open_page(sent.view())
    ready(desk, 0)
    address = share(desk)
    path = address.removeprefix(hospital.base)
    token = path.partition("#")[2]

    phone = open_page(path, **PHONE)
    ready(phone, 0)
    assert token not in phone.evaluate("JSON.stringify([location.href, document.referrer, history.state])")
    assert phone.evaluate("performance.getEntriesByType('navigation')[0].name").partition("#")[0].endswith("/s")
    expect(phone.get_by_role("toolbar")).to_be_visible()
    for hidden in ("Senden", "Details", "Teilen", "Herunterladen"):
        expect(phone.get_by_role("button", name=hidden)).to_have_count(0)
    phone.keyboard.press("End")
    ready(phone, 3)
    phone.reload()
    ready(phone, 0)
    assert violations(phone) == []

    desk.goto(hospital.base + "/links")
    expect(desk.get_by_text("opened 1 time")).to_be_visible()
    desk.get_by_role("button", name="Revoke").first.click()
    desk.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(desk.get_by_text("Revoked", exact=True).first).to_be_visible()
    assert violations(desk) == []
    # Nobody touches the phone: what was opened closes by itself.
    expect(phone.get_by_role("heading", name="Die Bilder sind geschlossen")).to_be_visible(timeout=8_000)
    assert name_of(hospital, sent) not in phone.content()


def test_a_protected_link_names_nobody_before_its_answer_and_closes_when_one_leaves(
    open_page: Pages, hospital: Hospital, sent: Sent
) -> None:
    desk = open_page(sent.view())
    ready(desk, 0)
    address = share(desk, question="a PIN", times="once", download=True)
    pin = desk.locator(".pin").inner_text()
    name = name_of(hospital, sent)
    open_page.expected = ("Failed to load resource",)  # a wrong answer is an answer
    phone = open_page(address.removeprefix(hospital.base), **PHONE)
    expect(phone.get_by_role("heading", name="Bilder für Sie")).to_be_visible()
    assert name not in phone.content()
    assert violations(phone) == []
    phone.get_by_label("PIN").fill("000001")
    phone.get_by_role("button", name="Bilder zeigen").tap()
    expect(phone.get_by_role("alert")).to_contain_text("Noch 4 Versuche")
    phone.get_by_label("PIN").fill(pin)
    phone.get_by_role("button", name="Bilder zeigen").tap()
    ready(phone, 0)

    phone.get_by_role("button", name="Zurück").tap()
    expect(phone.get_by_role("link", name="Speichern")).to_be_visible()
    assert violations(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.get_by_role("button", name="Schließen").tap()
    expect(phone.get_by_role("heading", name="Die Bilder sind geschlossen")).to_be_visible()
    assert name not in phone.content()
    again = open_page(address.removeprefix(hospital.base), **PHONE)
    expect(again.get_by_role("heading", name="Dieser Link öffnet nichts")).to_be_visible()
    until(lambda: name not in again.content(), "nothing of the patient on a page that is refused")


def test_a_link_is_made_listed_and_revoked_on_the_command_line(hospital: Hospital, sent: Sent) -> None:
    def command(*arguments: str) -> str:
        return hospital.installation.command(*arguments).stdout

    printed = command("link", "make", sent.study_uid, "--user", USER, "--pin", "--note", "for the GP")
    address, pin = printed.split()[0], printed.split()[-1]
    assert re.fullmatch(r"[0-9]{6}", pin)
    with hospital.installation.http() as http:
        http.headers.pop("Authorization")
        path = {"token": address.partition("#")[2], "answer": pin}
        assert http.post("/api/shared", json=path).json()["studies"] == [sent.id]
        listed = command("link", "list")
        assert "for the GP" in listed
        link = hospital.installation.get("/api/links", study=sent.id)["links"][0]["id"]
        assert "revoked" in command("link", "revoke", link)
        assert http.get(f"/api/studies/{sent.id}").status_code == 401
        assert http.post("/api/shared", json=path).status_code == 401
