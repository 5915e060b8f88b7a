"""Recipe files: read strictly, told where they are wrong, put aside alone, and tested against what was recorded."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from radrelay.app.recipe_commands import check_command, list_command
from radrelay.errors import Invalid
from radrelay.importer.connectors.dlx_answers import date_of
from radrelay.importer.cookies import Cookies
from radrelay.importer.outgoing import Reply
from radrelay.importer.places import Target
from radrelay.importer.recipes.forms import body_of, fields_of
from radrelay.importer.recipes.language import Look, Take
from radrelay.importer.recipes.page import Page, TooMuchToTake, values_at
from radrelay.importer.recipes.patterns import MOST_SEARCHED, PatternRefused, found_in, pattern_of
from radrelay.importer.recipes.playing import play
from radrelay.importer.recipes.reading import Recipe, RecipeInvalid, parsed, read_recipe
from radrelay.importer.recipes.shelf import RecipeFolder
from radrelay.importer.recipes.templates import Day, Value, shown, template_of
from radrelay.importer.recipes.tested import TestedFolder
from radrelay.importer.secret import Secret

DOCS = Path(__file__).parents[2] / "docs" / "recipes.md"


def documented(which: str = "example") -> str:
    """A full example of the documentation."""
    found = re.search(rf"<!-- {which} -->\n```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def read(text: str) -> Recipe:
    return parsed(text, Path("portal.toml"))


def problems(text: str) -> str:
    with pytest.raises(RecipeInvalid) as invalid:
        read(text)
    return invalid.value.message


def page(body: str, kind: str = "text/html; charset=utf-8", status: int = 200) -> Page:
    target = Target(True, "portal.example", 443, "/here?x=1")
    cookies = Cookies()
    cookies.take(target, ["XSRF=a%2Fb; Path=/"])
    return Page(Reply(target, status, {"content-type": kind, "x-csrf": "h"}, body.encode()), cookies)


@pytest.mark.parametrize(
    ("set_cookies", "sent"),
    [
        (["sid=abc==; Path=/; SameSite=Lax; Partitioned; Priority=High"], "sid=abc=="),
        (['prefs={"x":1,"y":[2]}; Path=/', "a=b c", "k@y=1", "sid=a,b; HttpOnly"],
         'prefs={"x":1,"y":[2]}; a=b c; k@y=1; sid=a,b'),
        (["sid=1", "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], ""),
        (["sid=1", "sid=; expires=Thu, 01-Jan-1970 00:00:00 GMT"], ""),
        (["sid=1", "sid=x; Max-Age=-1"], ""),
        (["sid=1", "sid=x; max-age=0"], ""),
        (["sid=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "sid=1"),
        (["sid=1; Max-Age=soon; Expires=whenever", "none", "=1", ""], "sid=1"),
        (["sid=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"], "sid=1"),
        (["sid=a\r\nX: y", f"long={'x' * 5000}", "euro=\u20ac"], ""),
    ],
)  # fmt: skip
def test_a_portal_s_cookies_are_kept_and_deleted_as_browsers_do(set_cookies: list[str], sent: str) -> None:
    target, other = Target(True, "portal.example", 443, "/"), Target(True, "other.example", 443, "/")
    cookies = Cookies(lambda: 1_800_000_000.0)
    cookies.take(target, set_cookies)
    assert cookies.header(target) == ({"Cookie": sent} if sent else {})
    assert cookies.header(other) == {}


def test_the_documented_recipe_passes_its_own_tests() -> None:
    recipe = read(documented())
    assert [one.name for one in recipe.told.test] == ["right", "a wrong birth date", "expired"]
    assert all(one.passed for one in play(recipe)), play(recipe)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('name = "Example portal"', "", "portal.toml: name: is missing"),
        ("get = ", "fetch = ", r"line \d+: step 1, fetch: is not known here; known are name, get, post, wait"),
        ("{csrf}", "{csfr}", r"line \d+: step 2, form._token: {csfr} is not known here: not asked, in no link"),
        ("{birth_date:DD.MM.YYYY}", "{birth_date}", "form.birth: {birth_date} is written {birth_date:DD.MM.YYYY}"),
        ("{birth_date:DD.MM.YYYY}", "{birth_date:DD.MONTH}", "is no form; dates: DD.MM.YYYY"),
        ("{csrf}", "{csrf:DD.MM.YY}", "{csrf} is written {csrf}, as a text"),
        ('["portal.example"]', '["portal.example", "https://x.example/"]', "hosts 2: https://x.example/ is no host"),
        ('["portal.example"]', '["*.example"]', r"line 4: hosts 1: \*.example is no host"),
        ('"/fetch/{code}"\n\n[[ask]]', '"https://other.example/{code}"\n\n[[ask]]', "other.example is none of"),
        ('get = "/fetch/{code}"', 'get = "http://portal.example/{code}"', "step 1, get: an address begins with https://"),
        ('get = "/fetch/{code}"', 'get = "{code}"', "begins with what a page gave, not with {code}"),
        ("{csrf}", "{csrf:number}", "form._token: {csrf:number} stands alone, in json"),
        ('post = "/login"\nform =', 'post = "/login"\nmultipart = true\njson =', "multipart: is how a form is sent"),
        ('post = "/login"', 'post = "/login"\nget = "/x"', "step 2: a step has exactly one of get, post, wait"),
        ('field = "_token"', 'field = "_token", json = "a"', "is taken in exactly one way"),
        ('field = "_token"', "pattern = 'a(.*)b'", "would also take what b after it has to find"),
        ('field = "_token"', "json = 'a..b'", "is no path into JSON"),
        ('as = "wrong"', 'as = "wrongly"', r"step 2, fails 1, as: input should be 'wrong', 'expired'"),
        ("every_s = 2", "every_s = 0", "step 3, every_s: input should be greater than"),
        ("until = ", "expect = ", "wait needs until, and nothing else has it"),
        ("[[step]]\nname = \"bring\"", "[[step]]\nname = \"log in\"", "another step is called log in"),
        ('headers = { Referer', 'headers = { Cookie', "headers.Cookie: is no header that a recipe sets"),
        ('kind = "birth-date"', 'kind = "birthday"', r"line \d+: ask 1, kind: input should be"),
        ("recipe = 1", "recipe = 2", "line 1: recipe: input should be 1"),
        ('answers = { birth_date = "1970-01-31" }\n', "", "test 1, answers: birth_date is asked and not answered"),
        ("zip = true", 'file = "../../x.zip"', r"test 1, exchange 5: ../../x.zip is no file in the folder portal"),
        ("zip = true", 'zip = true\npage = ""', "one of page, answer, file and zip"),
        ("recipe = 1", "recipe = ", r"portal.toml: Invalid value \(at line 1, column \d+\)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(before: str, after: str, said: str) -> None:
    text = documented()
    assert before in text
    assert re.search(said.replace("{", r"\{"), problems(text.replace(before, after, 1)))


def test_several_problems_are_told_at_once_and_the_lines_are_theirs() -> None:
    text = documented().replace('"_token" }]', '"_token", colour = 1 }]').replace("every_s = 2", "every_s = 'x'")
    rows = text.splitlines()
    told = problems(text).splitlines()
    assert len(told) == 2
    for one, wanted in zip(told, ("colour", "every_s"), strict=True):
        line = re.search(r"line (\d+): ", one)
        assert line is not None
        assert wanted in rows[int(line[1]) - 1]


def test_downloads_come_last() -> None:
    text = documented()
    bring = re.search(r'\[\[step\]\]\nname = "bring".*?\n\n', text, re.DOTALL)
    assert bring is not None
    assert "ends with its downloads" in problems(text.replace(bring[0], ""))


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r'href="([^"]{1,200})"', 'x href="/a" href="/b"', ["/a", "/b"]),
        (r"id=(\d+);", "id=12; id=x; id=7;", ["12", "7"]),
        (r"[a-f0-9]{8}", "deadbeef01", ["deadbeef"]),
        (r"a?b\.c", "ab.c b.c axc", ["ab.c", "b.c"]),
        (r"[]x]+", "a]x", ["]x"]),
    ],
)
def test_patterns_find(pattern: str, text: str, found: list[str]) -> None:
    assert found_in(pattern, text) == found


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|b)", "a|b", "a.*b", "a*?b", "a++b", "(?=a)", "(?:ab)+", r"(a)\1", r"\bx", "^a", "((a))", "(a)(b)",
     "(a)*", "a{501}", r"\d*[0-9]", "[a", "[z-a]", "[[a]]", "a*", "", r"\w{400}\s{400}x{400}",
     "{a}", "a\\", "()", ")("],
)  # fmt: skip
def test_patterns_outside_the_subset_are_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        pattern_of(pattern)


def test_no_pattern_hangs_on_the_longest_page_made_against_it() -> None:
    for pattern, text in ((r"\w{1,500};", "a"), (r'x="([^"]{1,500})"[^<]{0,400}<', 'x="'), (r"a[ab]{0,499}c", "ab")):
        began = time.process_time()
        assert found_in(pattern, text * (MOST_SEARCHED // len(text) + 10)) == []
        assert time.process_time() - began < 3


def test_no_page_hangs() -> None:
    for piece in ("<!--", "<a ", '<a x="', "<![CDATA[", "</a <", "<?", "&#", "<script>", "<a x='' ", "<textarea>x"):
        made = page(piece * ((1 << 20) // len(piece)))
        began = time.process_time()
        made.taken(Take.model_validate({"as": "x", "field": "y"}))
        made.looks(Look.model_validate({"text": "z"}))
        assert time.process_time() - began < 4, piece


@pytest.mark.parametrize(
    ("take", "found"),
    [
        ({"field": "t"}, "1&2"),
        ({"field": "area"}, "in it"),
        ({"element": "a", "where": {"class": "zip"}, "attribute": "href"}, "/z?a=1&b=2"),
        ({"element": "a", "where": {}, "holds": "Alle  Bilder", "attribute": "href"}, "/all"),
        ({"element": "meta", "where": {"name": "csrf"}, "attribute": "content"}, "m"),
        ({"pattern": "var x = '([^']+)'"}, "ü"),
        ({"cookie": "XSRF"}, "a/b"),
        ({"header": "X-CSRF"}, "h"),
        ({"json": "a"}, None),
        ({"field": "none"}, None),
        ({"element": "a", "where": {"class": "zi"}, "attribute": "href"}, None),
    ],
)
def test_what_is_taken_from_a_page(take: dict[str, object], found: str | None) -> None:
    made = page(
        '<meta name=csrf content=m><form><input type=hidden name="t" value="1&amp;2"><textarea name=area>in it'
        '</textarea></form><a class="b zip" href="/z?a=1&amp;b=2">x</a><a href="/all">Alle <b>Bilder</b></a>'
        "<script>var x = 'ü'</script>"
    )
    assert made.taken(Take.model_validate({"as": "x", **take})) == ([] if found is None else [found])


@pytest.mark.parametrize(
    ("charset", "written", "read"),
    [
        ("ISO-8859-1", "ü".encode("latin-1"), "ü"), ("windows-1250", "ł".encode("cp1250"), "ł"),
        ("latin1", b"\xe4", "ä"), ("Shift_JIS", "患".encode("shift_jis"), "患"),
        ("GB18030", "影".encode("gb18030"), "影"), ("koi8-r", "ж".encode("koi8-r"), "ж"), ("utf-8", "ü".encode(), "ü"),
        ("utf-16", "ü".encode("utf-16"), "ü"), ("none", "ü".encode(), "ü"), ("utf-8", b"\xfc", "ü"),
        ("unicode_escape", b"\\xfc", "\\xfc"), ("rot13", b"ab", "ab"), ("hex", b"6162", "6162"),
        ("utf-7", b"+APw-", "+APw-"), ("punycode", b"aaa-aaa", "aaa-aaa"),
    ],
)  # fmt: skip
def test_pages_are_read_in_what_pages_are_written_in(charset: str, written: bytes, read: str) -> None:
    """No other of Python's codecs is for pages; punycode alone takes seconds for 160 kB."""
    target = Target(True, "portal.example", 443, "/")
    assert Page(Reply(target, 200, {"content-type": f"text/html; charset={charset}"}, written)).raw == read


def test_all_means_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand files are taken; of a page that has more than is read, none is."""
    links = [f"/f/{number}" for number in range(10_000)]
    html = "".join(f"<li><a href={one}></a></li>" for one in links)
    by_element = Take.model_validate({"as": "zip", "element": "a", "attribute": "href", "all": True})
    by_json = Take.model_validate({"as": "zip", "json": "files[*].url", "all": True})
    by_pattern = Take.model_validate({"as": "zip", "pattern": "href=([^>]+)", "all": True})
    assert page(html).taken(by_element) == page(html).taken(by_pattern) == links
    told = [{"url": one} for one in links]
    assert page(json.dumps({"files": told})).taken(by_json) == links
    with pytest.raises(TooMuchToTake):
        page(json.dumps({"files": told * 3})).taken(by_json)
    monkeypatch.setattr("radrelay.importer.recipes.page.MOST_ELEMENTS", 100)
    long = page(html[:10_000])
    assert long.taken(by_element.model_copy(update={"all": False})) == links[:1]
    for take, read in (
        (by_json, page(json.dumps({"files": [{"url": "x" * (300 << 10)}]}))),
        (by_pattern, page(html + " " * MOST_SEARCHED)), (by_element, long),
    ):  # fmt: skip
        with pytest.raises(TooMuchToTake):
            read.taken(take)


def test_what_is_taken_from_json() -> None:
    told = {"a": [{"u": "/1", "n": 1}, {"u": "/2", "n": None}], "ok": True, "zero": 0}
    assert values_at(told, "a[*].u") == ["/1", "/2"]
    assert values_at(told, "a[1].n") == [None]
    assert values_at(told, "a[7].n") == values_at(told, "ok.x") == []
    made = page('{"a": [{"u": "/1"}], "ok": true, "zero": 0, "no": null}', "application/json", 202)
    for look, so in (
        ({"json": "ok", "is": True}, True), ({"json": "ok", "is": 1}, False), ({"json": "zero", "is": 0}, True),
        ({"json": "no"}, False), ({"json": "a[0].u"}, True), ({"status": [200, 202], "address": "/here"}, True),
        ({"status": 200}, False), ({"status": 202, "text": "absent"}, False), ({"pattern": "ok[^t]+tr"}, True),
    ):  # fmt: skip
        assert made.looks(Look.model_validate(look)) is so, look


def test_values_are_written_as_the_portal_wants_them() -> None:
    day = date_of("1970-01-05")
    assert day is not None
    for form, said in (("DD.MM.YYYY", "05.01.1970"), ("D.M.YY", "5.1.70"), ("YYYYMMDD", "19700105"), ("M", "1")):
        assert shown(Day(day), form) == said
    values: dict[str, Value] = {"code": Secret("ab-c 1/2"), "born": Day(day)}
    assert template_of("{{{code:plain}}} {code:upper}").filled(values) == "{abc12} AB-C 1/2"
    assert template_of("{code:digits}-{born:YYYY}").filled(values) == "12-1970"
    assert "1970" not in repr(values)
    assert "ab" not in repr(values)


def test_forms_are_sent_as_pages_and_scripts_send_them() -> None:
    told = {'a "b"': "ü\r\n--x", "c": "", "d": "1 & 2"}
    for multipart in (False, True):
        body, kind = body_of(told, multipart=multipart)
        assert {name.replace("%22", '"'): value for name, value in fields_of(body, kind).items()} == told
    recipe = read(documented().replace("form = { _token", "multipart = true\nform = { _token", 1))
    assert all(one.passed for one in play(recipe))


def test_a_portal_that_changed_fails_at_its_step_with_the_reason() -> None:
    text = documented()
    (right, *_) = play(read(text.replace('name="_token" value', 'name="_csrf" value', 1)))
    assert (right.test, right.step) == ("right", "open")
    assert right.why == "comes to portal-recipe-outdated (csrf is not where the recipe takes it from), not to fetched"
    (right, *_) = play(read(text.replace('birth = "31.01.1970"', 'birth = "1970-01-31"', 1)))
    assert (right.step, right.why) == (
        "log in", "sends birth = '31.01.1970', where '1970-01-31' was recorded",
    )  # fmt: skip
    (right, *_) = play(read(text.replace('post = "/login"', 'post = "/signin"', 1)))
    assert right.why.startswith("asks POST https://portal.example/signin, where POST https://portal.example/login")
    (_, wrong, _) = play(read(text.replace('as = "wrong", text = "not right"', 'as = "locked", text = "not right"')))
    assert wrong.why.startswith("comes to locked")
    assert wrong.why.endswith("not to wrong")


def test_a_broken_file_puts_that_recipe_aside_and_no_other(tmp_path: Path) -> None:
    folder = RecipeFolder(tmp_path)
    assert folder.shelf().recipes == ()
    (tmp_path / "a.toml").write_text(documented())
    (tmp_path / "b.toml").write_text(documented().replace("get = ", "fetch = "))
    (tmp_path / "Not a name.toml").write_text(documented())
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe")
    shelf = folder.shelf()
    assert [one.id for one in shelf.recipes] == ["a"]
    assert [one.id for one in shelf.broken] == ["Not a name", "b", "d"]
    assert shelf.broken[1].why.startswith("b.toml, line ")
    assert folder.shelf() is shelf
    (tmp_path / "b.toml").write_text(documented())
    os.utime(tmp_path / "b.toml", ns=(1, 1))
    assert [one.id for one in folder.shelf().recipes] == ["a", "b"]
    (tmp_path / "a.toml").unlink()
    assert [one.id for one in folder.shelf().recipes] == ["b"]
    assert RecipeFolder(None).shelf().recipes == RecipeFolder(tmp_path / "none").shelf().recipes == ()


def test_recorded_pages_may_lie_in_the_folder_beside(tmp_path: Path) -> None:
    text = documented()
    exchange = re.search(r"page = '''(.*?)'''", text, re.DOTALL)
    assert exchange is not None
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "open.html").write_text(exchange[1])
    (tmp_path / "portal.toml").write_text(text.replace(exchange[0], 'file = "open.html"', 1))
    assert all(one.passed for one in play(read_recipe(tmp_path / "portal.toml")))
    (tmp_path / "portal" / "open.html").unlink()
    with pytest.raises(RecipeInvalid, match=r"open\.html is no file in the folder portal beside the recipe"):
        read_recipe(tmp_path / "portal.toml")


def test_the_commands_list_recipes_and_play_their_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.toml").write_text(documented())
    assert list_command(tmp_path, as_json=False) == check_command(None, tmp_path) == 0
    said = capsys.readouterr().out
    assert "✓ good: Example portal (portal.example), 3 tests" in said
    assert "✓ good: a wrong birth date" in said
    (tmp_path / "changed.toml").write_text(documented().replace("{birth_date:DD.MM.YYYY}", "{birth_date:DD/MM/YYYY}"))
    (tmp_path / "broken.toml").write_text(documented().replace("recipe = 1", "recipe = 3"))
    assert list_command(tmp_path, as_json=True) == 1
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["ready", "ready", "broken"]
    assert check_command(tmp_path, None) == check_command(tmp_path / "changed.toml", None) == 1
    said = capsys.readouterr().out
    assert "✗ broken.toml, line 1: recipe: input should be 1" in said
    assert "✗ changed: right, step 'log in': sends birth = '31/01/1970', where '31.01.1970' was recorded" in said
    with pytest.raises(Invalid):
        check_command(None, None)


@pytest.mark.parametrize(
    ("said", "becomes", "problem"),
    [
        ("browser = true\n", "", "are of recipes with browser = true"),
        ('goto = "/fetch/{code}"', 'get = "/fetch/{code}"', "a step in a browser has exactly one of"),
        ('goto = "/fetch/{code}"', 'goto = "https://other.example/"', "none of the recipe's hosts"),
        ('click = { button = "Log in" }', 'click = { button = "Log in", link = "x" }', "in exactly one way"),
        ('click = { button = "Log in" }', 'click = { script = "x" }', "is not known here; known are button, link"),
        ('with = "{sms}"', 'with = "{otp}"', "{otp} is not known here"),
        ('as = "sms", text', 'as = "birth_date", text', "birth_date is known here already"),
        ('as = "sms", text', 'as = "sms", kind = "clicks", text', "{sms} is not known here"),
        ('expect = { text = "Date of birth" }', "expect = { status = 200 }", "has no status and no json"),
        ('description = "Images"', 'expect = { text = "x" }', "its bytes are judged"),
        ('sms = "481516"', 'pin = "481516"', "pin: is not asked"),
    ],
)
def test_a_recipe_for_a_browser_is_read_as_strictly(said: str, becomes: str, problem: str) -> None:
    text = documented("example of a browser")
    assert read(text).told.browser
    assert said in text
    assert problem in problems(text.replace(said, becomes))


def test_a_recipe_for_a_browser_is_not_played_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "portal.toml").write_text(documented("example of a browser"), encoding="utf-8")
    assert check_command(tmp_path, None) == 1
    assert "needs a browser to be played in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('answer = { state = "packing" }', "answer = { at = 1970-01-01 }"),
        ('answer = { state = "packing" }', "answer = [07:32:00]"),
        ('form = { _token = "{csrf}", code', "json = { n = nan, a = [1970-01-01], code"),
    ],
)
def test_what_is_no_json_is_refused_before_anything_is_sent(before: str, after: str) -> None:
    assert "dates, times and nan are no JSON; a date is written as a text" in problems(
        documented().replace(before, after, 1)
    )


def test_a_form_where_json_was_recorded_differs_and_nothing_more() -> None:
    recorded = 'form = { _token = "t1", code = "AB12", birth = "31.01.1970" }'
    (right, *_) = play(read(documented().replace(recorded, 'json = { pin = "x" }', 1)))
    assert (right.step, right.why) == ("log in", "sends pin = None, where 'x' was recorded")


def test_a_folder_with_a_recipe_for_a_browser_is_tested_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text(documented("example of a browser"), encoding="utf-8")
    (tmp_path / "other.toml").write_text(documented(), encoding="utf-8")
    (other, needs), broken = TestedFolder(tmp_path).tested()
    assert ([one.passed for one in other.tests], broken) == ([True] * 3, ())
    assert {one.words.code for one in needs.tests if one.words} == {"test-browser"}


LINK = '<a class="dl" href="/{}">Images</a>'
WHOLE = Take.model_validate({"as": "z", "element": "a", "where": {"class": "dl"}, "attribute": "href", "all": True})


@pytest.mark.parametrize(
    "between",
    [
        "<!-->",
        "<!--->",
        "<!-- a --!>",
        "<![endif]-->",
        "<![x>",
        "</ >",
        "<script>if(a<!--b){}</script>",
        "<%= x %>",
        "<script>x</script x>",
        "<script>a</script/>",
        "<STYLE>a</style\n>",
        "<iframe></iframe >",
        "<script>'</scripty>'</script>",
    ],
)
def test_markup_as_browsers_forgive_it_hides_no_link(between: str) -> None:
    read = page(f"<html>{LINK.format(1)}{between}{LINK.format(2)}{LINK.format(3)}</html>")
    assert read.taken(WHOLE) == ["/1", "/2", "/3"]


def test_links_that_no_browser_shows_are_none() -> None:
    hidden = "".join(f"<{name}>{LINK.format(9)}</{name}>" for name in ("script", "style", "iframe", "xmp", "noembed"))
    ends = f"{LINK.format(1)}<script>a</script/>{LINK.format(2)}{hidden}{LINK.format(3)}<script>b</script>"
    assert page(ends).taken(WHOLE) == ["/1", "/2", "/3"]


@pytest.mark.parametrize("open_ended", ["<x y='1", "<script>x</script", "<!-- never", "<![never"])
def test_what_does_not_end_leaves_out_nothing_in_silence(open_ended: str) -> None:
    read = page(f"<html>{LINK.format(1)}{open_ended}{LINK.format(2).replace('>', '')}")
    with pytest.raises(TooMuchToTake):
        read.taken(WHOLE)
