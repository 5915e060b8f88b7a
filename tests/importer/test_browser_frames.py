"""Elements in pages within pages, of the portal's host and of another: found, filled and clicked where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from radrelay.importer.browser.playing import play_in_browser
from radrelay.importer.recipes.reading import RecipeInvalid, parsed
from tests.importer.portal import Kept
from tests.importer.recipe_portals import page
from tests.importer.test_browser_guards import PARCEL, Walk, chromium, chromium_in, walk

__all__ = ["chromium", "walk"]  # fixtures

FRAMED = """
recipe = 1
name = "Portal"
browser = true
hosts = ["{HOST}"]

[[link]]
address = "/p/{code}"

[[step]]
name = "page"
goto = "/p/{code}"

[[step]]
name = "code"
fill = [{ label = "Code", with = "{code}" }]
frame = [{ class = "portal" }, { name = "inner" }]
within_s = 5

[[step]]
name = "log in"
click = { button = "Log in" }
frame = [{ class = "portal" }, { name = "inner" }]
expect = { text = "welcome" }
within_s = 5

[[step]]
name = "images"
save = { link = "Images" }
frame = [{ class = "portal" }, { name = "inner" }]
within_s = 5
"""
FORM = """<div style="height: 1500px">far up</div><form action="/in" method="post">
<label>Code <input name="code" value="old"></label> <button>Log in</button></form>"""


def test_elements_in_frames_are_reached_where_they_are(walk: Walk) -> None:
    """Far down in pages that scroll, in a frame within a frame."""
    framed = '<iframe class="big portal" style="border: 7px solid; padding: 11px" src="'
    walk.here.answers |= {
        "/p/AB12": page(f'<p style="height: 2000px">up</p><iframe src="/b"></iframe>{framed}/outer">'),
        "/outer": page('<p>outer</p><iframe name="inner" width="250" height="90" src="/form"></iframe>'),
        "/form": page(FORM), "/b": page("other"),
        "/in": page('<p>welcome</p><a href="/zip" target="_blank">Images</a>'),
        "/zip": lambda asked: asked.give(200, PARCEL, "application/zip"),
    }  # fmt: skip
    kept = Kept()
    with walk.errand(FRAMED) as errand:
        assert errand.carry_on({}, lambda: None) is None
        errand.download(errand.items()[0], kept)
    assert kept.bytes == PARCEL
    assert [body for _, path, _, body in walk.here.asked if path == "/in"] == [b"code=AB12"]


def test_a_click_in_a_frame_may_lead_the_whole_page(walk: Walk) -> None:
    steps = FRAMED.partition('[[step]]\nname = "log in"')[0]
    save = '[[step]]\nname = "log in"\nclick = { link = "On" }\nframe = { class = "portal" }\n'
    save += '[[step]]\nname = "images"\nsave = { button = "Images" }\nwithin_s = 5\n'
    text = steps.partition('[[step]]\nname = "code"')[0] + save
    walk.here.answers |= {
        "/p/AB12": page('<iframe class="portal" src="/outer"></iframe>'),
        "/outer": page('<a href="/in" target="_top">On</a>'),
        "/in": page("<button onclick=\"location = '/zip'\">Images</button>"),
        "/zip": lambda asked: asked.give(200, PARCEL, "application/zip"),
    }  # fmt: skip
    kept = Kept()
    with walk.errand(text) as errand:
        assert errand.carry_on({}, lambda: None) is None
        errand.download(errand.items()[0], kept)
    assert kept.bytes == PARCEL


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("nothing", "it has no such page in a frame"),
        ('<iframe class="portal" src="/outer"></iframe>', "it has no such page in a frame"),
        ('<iframe class="portal" src="/deep"></iframe>', "what is to be filled or clicked is not there"),
    ],
)
def test_what_is_not_in_a_frame_is_told(walk: Walk, body: str, said: str) -> None:
    walk.here.answers |= {
        "/p/AB12": page(body), "/outer": page("outer"), "/deep": page('<iframe name="inner" src="/outer"></iframe>'),
    }  # fmt: skip
    assert walk.ends(FRAMED.replace("within_s = 5", "within_s = 0.5")).facts["reason"] == said


def test_a_frame_of_a_host_that_is_none_of_the_portal_s_is_never_loaded(walk: Walk) -> None:
    walk.here.answers["/p/AB12"] = page('<iframe class="portal" src="https://evil.example/"></iframe>')
    trouble = walk.ends(FRAMED.replace("within_s = 5", "within_s = 0.5"))
    assert trouble.facts["reason"] in (
        "it has no such page in a frame", "it leads to evil.example, which is none of the recipe's hosts",
    )  # fmt: skip


PLAYED = """
[[test]]
name = "in frames"
link = "https://portal.example/p/AB12"

[[test.exchange]]
get = "https://portal.example/p/AB12"
page = '''<p style="height: 2000px">up</p>
<iframe class="portal" style="border: 7px solid; padding: 11px" src="https://forms.example/outer"></iframe>'''

[[test.exchange]]
get = "https://forms.example/outer"
page = '<p style="height: 700px">up</p><iframe name="inner" height="90" src="https://portal.example/form"></iframe>'

[[test.exchange]]
get = "https://portal.example/form"
page = '''<p style="height: 1500px">up</p><form action="/in" method="post">
<label>Code <input name="code" value="old"></label> <button>Log in</button></form>'''

[[test.exchange]]
post = "https://portal.example/in"
form = { code = "AB12" }
page = '<p>welcome</p><a href="/zip">Images</a>'

[[test.exchange]]
get = "https://portal.example/zip"
zip = true
"""


def test_the_self_test_plays_pages_in_frames_of_several_sites(tmp_path: Path) -> None:
    """Those of another site are in processes of their own."""
    text = FRAMED.replace('"{HOST}"', '"portal.example", "forms.example"')
    (played,) = play_in_browser(parsed(text + PLAYED, tmp_path / "portal.toml"), chromium_in(tmp_path))
    assert played.passed, str(played.why)


@pytest.mark.parametrize(
    ("step", "fits"), [("ask = { as = 'sms', text = { en = 'SMS' } }", False), ("save = { text = 'x' }", True)]
)
def test_only_what_is_done_in_a_page_names_a_frame(step: str, fits: bool) -> None:
    begun = FRAMED.replace('"{HOST}"', '"portal.example"').partition('[[step]]\nname = "code"')[0]
    text = f'{begun}[[step]]\nname = "more"\n{step}\nframe = {{}}\n[[step]]\nname = "images"\nsave = {{ text = "x" }}\n'
    if fits:
        parsed(text, Path("portal.toml"))
        return
    with pytest.raises(RecipeInvalid) as refused:
        parsed(text, Path("portal.toml"))
    assert "in a browser goto, fill, click and save may name a page in a frame" in str(refused.value)
