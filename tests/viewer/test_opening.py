"""A study on a real server is opened in a real browser."""

from __future__ import annotations

from pathlib import Path

from radrelay.dicom import phantoms
from tests.viewer.conftest import Pages, ready
from tests.viewer.hospital import Hospital


def test_a_study_that_was_sent_is_opened_from_the_login_on(open_page: Pages, hospital: Hospital) -> None:
    [sent] = hospital.send(phantoms.study("ct-head", seed=901, slices=6, size=128))
    page = open_page("/", login=False)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(hospital.base + sent.view())
    open_page.log_in(page)
    ready(page, 0)
    page.keyboard.press("End")
    ready(page, 5)
    page.get_by_role("button", name="Volume (MPR/3D)").click()
    page.locator(".volumes main[data-whole=true]").wait_for()
    assert len(asked) > 12
    within = (hospital.base + "/", "blob:", "data:")
    assert [url for url in asked if not url.startswith(within)] == []  # nothing is asked of anybody else


def test_a_study_from_a_folder_is_shown_before_and_after_it_is_packed(
    open_page: Pages, hospital: Hospital, tmp_path: Path
) -> None:
    files = list(phantoms.study("mr-head", seed=902, slices=4, size=64))
    for number, content in enumerate(files):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    [sent] = hospital.import_(tmp_path, files)
    page = open_page(sent.view(1))
    ready(page, 0)
    hospital.packed(sent)
    page.reload()
    ready(page, 0)
