"""An answer as recipes look at it: its text, its elements, its JSON. Bounded, and read only as far as it is asked for.

HTML is read by the standard library's parser, which is fed and never closed: what does not end is left unread, which
counts as cut, and no page costs more than its length.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from itertools import islice
from typing import Any

from radrelay.importer.cookies import Cookies
from radrelay.importer.json_read import read_json
from radrelay.importer.outgoing import Reply
from radrelay.importer.recipes.language import Look, Take
from radrelay.importer.recipes.patterns import MOST_SEARCHED, found_in
from radrelay.importer.recipes.words import Unreadable, Words, say

MOST_ELEMENTS, MOST_INSIDE, MOST_VALUE, MOST_VALUES = 100_000, 500, 256 << 10, 20_000
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,5}|\*)\]")
_COMMENT_END = re.compile(r"--!?>")
_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_CHARSETS = frozenset({
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "koi8-r", "koi8-u", "mac-roman", "tis-620", "gbk", "gb2312",
    "gb18030", "big5", "big5hkscs", "euc_jp", "euc_kr", "shift_jis", "iso2022_jp",
    *(f"iso8859-{part}" for part in range(1, 17)),
    *(f"cp{page}" for page in (866, 874, 932, 949, 950, *range(1250, 1259))),
})  # fmt: skip
"""What pages are written in (WHATWG Encoding 4.2), as Python names it; some of its other codecs cost quadratic time."""
FIELDS = ("input", "textarea", "select", "button")
_UNSEEN, _EMPTY = ("script", "style", "template", "noscript", "title", "option"), ("input", "br", "img", "hr")
MOST_DEEP = 20


class TooMuchToTake(Exception):
    """All of something is to be taken, and a page has more of it than is read."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words


@dataclass(slots=True)
class Element:
    """An element's start, and the text that stands in it."""

    name: str
    attributes: Mapping[str, str] = field(repr=False)
    text: str = field(default="", repr=False)
    open: bool = True


def _end_tag(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{re.escape(name)}(?=[\t\n\r\f />])", re.IGNORECASE)


class _Lenient(HTMLParser):
    """Reads comments, declarations and texts without tags as browsers do (HTML 13.2.5), and stumbles over none.

    What differs from one release of Python to the next is done here.
    """

    # what HTMLParser looks up, final in its stubs alone
    CDATA_CONTENT_ELEMENTS = ("script", "style", "xmp", "iframe", "noembed", "noframes")  # type: ignore[misc]

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Return where a comment ends; `<!-->` is a whole one."""
        for empty in ("<!-->", "<!--->"):
            if self.rawdata.startswith(empty, i):
                return i + len(empty)
        ends = _COMMENT_END.search(self.rawdata, i + 4)
        return ends.end() if ends else -1

    def parse_html_declaration(self, i: int) -> int:
        """Return where a declaration ends: `<![` begins nothing but a comment that its first `>` ends."""
        if not self.rawdata.startswith("<![", i):
            return super().parse_html_declaration(i)
        ends = self.rawdata.find(">", i)
        return -1 if ends < 0 else ends + 1

    def set_cdata_mode(self, elem: str, **more: Any) -> None:
        """Read no tags before an element's end tag."""
        super().set_cdata_mode(elem, **more)
        if elem.lower() != "plaintext":
            self.interesting = _end_tag(elem)

    def parse_endtag(self, i: int) -> int:
        """Return where an end tag ends; that of a text without tags may hold more than the name (13.2.5.13)."""
        if self.cdata_elem is None:
            return super().parse_endtag(i)
        begins = _end_tag(self.cdata_elem).match(self.rawdata, i)
        if begins is None:
            self.handle_data(self.rawdata[i : i + 2])
            return i + 2
        ends = self.rawdata.find(">", begins.end())
        if ends < 0:
            return -1
        self.handle_endtag(self.cdata_elem)
        self.clear_cdata_mode()
        return ends + 1

    @property
    def is_unread(self) -> bool:
        """Tell whether something begins in what was fed that does not end there."""
        return "<" in self.rawdata


class _Elements(_Lenient):
    """Collects elements in their order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Element] = []
        self.cut = False
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len(self.found) >= MOST_ELEMENTS:
            self.cut = True
            return
        made = Element(tag, {name: value or "" for name, value in reversed(attrs)})
        self.found.append(made)
        self._open = [*self._open[-9:], made]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at].name == tag:
                del self._open[at]
                return

    def handle_data(self, data: str) -> None:
        for one in self._open:
            if len(one.text) < MOST_INSIDE:
                one.text += data[:MOST_INSIDE]


class _Seen(_Lenient):
    """Collects the text that somebody sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hides, self._deep = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._deep:
            self._deep += tag == self._hides
        elif tag not in _EMPTY and (tag in _UNSEEN or any(name == "hidden" for name, _ in attrs)):
            self._hides, self._deep = tag, 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Leave it: it holds nothing."""

    def handle_endtag(self, tag: str) -> None:
        self._deep -= bool(self._deep) and tag == self._hides

    def handle_data(self, data: str) -> None:
        if not self._deep:
            self.found.append(data)


class Page:
    """An answer, looked at."""

    def __init__(self, reply: Reply, cookies: Cookies | None = None) -> None:
        self.reply, self._cookies = reply, cookies

    @cached_property
    def raw(self) -> str:
        """Return the text as it came."""
        body = self.reply.body
        named = _CHARSET.search(self.reply.headers.get("content-type", ""))
        for encoding in (_known(named[1]) if named else "utf-8", "utf-8"):
            with suppress(UnicodeDecodeError):
                return body.decode(encoding)
        return body.decode("cp1252", "replace")

    @cached_property
    def words(self) -> str:
        """Return the text with characters instead of references, and one space instead of several."""
        return _plain(html.unescape(self.raw[:MOST_SEARCHED]))

    @cached_property
    def said(self) -> str:
        """Return the words that somebody sees, or all texts of JSON, in small letters."""
        if self.json is not None:
            return " ".join(" | ".join(_texts_in(self.json)).split())[:MOST_SEARCHED]
        parser = _Seen()
        parser.feed(self.raw[:MOST_SEARCHED])
        return _plain(" ".join(parser.found)).casefold()

    @cached_property
    def elements(self) -> list[Element]:
        """Return its elements."""
        return self._parsed.found

    @cached_property
    def _parsed(self) -> _Elements:
        parser = _Elements()
        parser.feed(self.raw)
        parser.cut = parser.cut or parser.is_unread
        return parser

    @cached_property
    def json(self) -> object:
        """Return what it says in JSON, none if it does not."""
        try:
            return read_json(self.reply.body)
        except ValueError:
            return None

    def looks(self, look: Look) -> bool:
        """Tell whether it looks so."""
        return self.differs(look) is None

    def differs(self, look: Look) -> Words | None:
        """Return the first thing in which it looks otherwise, in the recipe's words alone; none if it looks so."""
        return next(self._differences(look), None)

    def _differences(self, look: Look) -> Iterator[Words]:
        if look.status and self.reply.status not in look.status:
            yield say("status", status=self.reply.status)
        if look.address is not None and look.address not in self.reply.target.path:
            yield say("address")
        if look.text and not any(_plain(one) in self.words for one in look.text):
            yield say("text", texts=" / ".join(repr(one) for one in look.text))
        yield from self._differences_within(look)

    def _differences_within(self, look: Look) -> Iterator[Words]:
        if look.pattern is not None and not found_in(look.pattern, self.raw):
            yield say("pattern", pattern=repr(look.pattern))
        if look.element is not None and not any(fits(one, look.element, look.where) for one in self.elements):
            yield say("element", element=look.element)
        if look.at is not None and not _is(values_at(self.json, look.at), look.value):
            yield say("json", path=look.at)

    def taken(self, take: Take) -> list[str]:
        """Return what is to be taken, as far as it is there; raises `TooMuchToTake` where all cannot be read."""
        if not take.all:
            return [*islice((one for one in self._found(take) if 0 < len(one) <= MOST_VALUE), 1)]
        found = [one for one in islice(self._found(take), MOST_ELEMENTS + 1) if one]
        if len(found) > MOST_VALUES:
            raise TooMuchToTake(say("take-most", name=take.name, limit=MOST_VALUES))
        if any(len(one) > MOST_VALUE for one in found) or self._is_cut(take):
            raise TooMuchToTake(say("take-cut", name=take.name))
        return found

    def _is_cut(self, take: Take) -> bool:
        """Tell whether there is more of a page than what is looked at for this."""
        if take.at is not None:
            return len(values_at(self.json, take.at)) >= MOST_ELEMENTS
        if take.pattern is not None:
            return len(self.raw) > MOST_SEARCHED
        return (take.element is not None or take.field is not None) and self._parsed.cut

    def _found(self, take: Take) -> Iterator[str]:
        if take.at is not None:
            yield from (str(one) for one in values_at(self.json, take.at) if _is_text(one))
        elif take.pattern is not None:
            yield from (html.unescape(one) for one in found_in(take.pattern, self.raw))
        elif take.header is not None:
            yield self.reply.headers.get(take.header.lower(), "")
        elif take.cookie is not None and self._cookies is not None:
            yield self._cookies.value(self.reply.target, take.cookie)
        else:
            yield from self._in_elements(take)

    def _in_elements(self, take: Take) -> Iterator[str]:
        for one in self.elements:
            if take.field is not None and one.name in FIELDS and one.attributes.get("name") == take.field:
                yield one.attributes.get("value", one.text)
            held = take.holds is None or _plain(take.holds) in _plain(one.text)
            if take.element is not None and held and fits(one, take.element, take.where):
                yield one.attributes.get(take.attribute or "", "").strip()


def _known(charset: str) -> str:
    """Return a character set that pages are written in, UTF-8 for anything else."""
    with suppress(LookupError):
        found = codecs.lookup(charset).name
        return found if found in _CHARSETS else "utf-8"
    return "utf-8"


def path_of(text: str) -> tuple[str | int | None, ...]:
    """Return a path into JSON, `a.b[0].c` or `items[*].url` (none: each); raises `Unreadable`."""
    parts: list[str | int | None] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise Unreadable(say("no-path", text=text))
        parts.append(found[1] if found[1] is not None else None if found[2] == "*" else int(found[2]))
        at = found.end()
    if len(parts) > 20 or parts.count(None) > 2:
        raise Unreadable(say("path-deep", text=text))
    return tuple(parts)


def values_at(told: object, path: str) -> list[Any]:
    """Return what stands at a path."""
    found: list[Any] = [told]
    for part in path_of(path):
        led: list[Any] = []
        for one in found:
            if part is None:
                led += one if isinstance(one, list) else []
            elif isinstance(part, int):
                led += [one[part]] if isinstance(one, list) and part < len(one) else []
            else:
                led += [one[part]] if isinstance(one, dict) and part in one else []
        found = led[:MOST_ELEMENTS]
    return found


def _is(found: list[Any], value: object) -> bool:
    """Tell whether a value is among those found; none is asked for: whether there is one."""
    if value is None:
        return any(one is not None for one in found)
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in found)


def _texts_in(told: object, depth: int = 0) -> Iterator[str]:
    """Yield the texts in JSON, codes among them as words: `invalid_code` says invalid code."""
    if isinstance(told, str):
        yield re.sub(r"[_.-]+|(?<=[a-z])(?=[A-Z])", " ", told[:MOST_INSIDE]).casefold()
    elif isinstance(told, dict | list) and depth < MOST_DEEP:
        for one in told.values() if isinstance(told, dict) else told:
            yield from _texts_in(one, depth + 1)


def _is_text(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def fits(element: Element, name: str, where: Mapping[str, str]) -> bool:
    """Tell whether an element is one of a name, and has attributes as said; of classes it may have more."""
    return element.name == name and all(
        value in element.attributes.get(key, "").split() if key == "class" else element.attributes.get(key) == value
        for key, value in where.items()
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))
