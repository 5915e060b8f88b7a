"""One data set written anew by a plan: every level of it, values replaced, what stays copied in whole spans.

In: the elements' places and a plan. Out: pieces to be joined, what they lost (`identity`), and the changes. Pixel data
is never copied or decoded. Sequences are written with defined lengths. A second run, once it is known whose object it
is, searches what stays for those values.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from radrelay.dicom.characters import DEFAULT, CharacterSet, character_set, encode
from radrelay.dicom.deidentify.dummies import REMOVED, UNKNOWN_CODE, dummy
from radrelay.dicom.deidentify.identity import Identity, Needles
from radrelay.dicom.deidentify.moments import moved
from radrelay.dicom.deidentify.plan import CONTENT, DOCUMENT, SCHEME, Decision, Mode, Plan, Step
from radrelay.dicom.deidentify.private_attributes import safe_tags
from radrelay.dicom.deidentify.report import Change, Outcome
from radrelay.dicom.deidentify.structured import tells_of_patient
from radrelay.dicom.deidentify.texts import cleaned, is_technical
from radrelay.dicom.dialects import DEPTH_LIMIT, ITEM, SEQUENCE_END, UNDEFINED
from radrelay.dicom.elements import Buffer, DataElements, Element, implicit_vr, item_places, walk
from radrelay.dicom.errors import Malformed
from radrelay.dicom.rewrite import Rules, element_header
from radrelay.dicom.writing import pad

REMOVED_TEXT = REMOVED.decode()
"""What stands where nothing is left of a text: many may not be empty (type 1)."""
_TEXTS = frozenset(b"AE CS LO LT PN SH ST UC UR UT".split())
_BYTES = frozenset((b"OB", b"UN", b"OW", b"OL", b"OV", b"OF", b"OD"))
_LEAST = {b"OB": 5, b"UN": 5, **dict.fromkeys((b"OW", b"OL", b"OV", b"OF", b"OD"), 8)}
"""Bytes of the shortest value that is searched for in binary ones: shorter ones come about by chance."""
_NUMBERS = frozenset(b"US SS UL SL UV SV FL FD AT".split())
_NUMBER_TEXTS = frozenset((b"DS", b"IS", b"AS", b"DA", b"DT", b"TM"))
_NUMERIC = re.compile(rb"[\d+\-.eE:\\ \0YMWD]*")
_STANDARD_SCHEMES = frozenset((
    "DCM", "SCT", "SRT", "SNM3", "LN", "UCUM", "RADLEX", "FMA", "NCIt", "UMLS", "ICDO3", "ICD10", "I10", "I10P",
    "I9C", "MSH", "BI", "ACR", "C4", "SCPECG", "MDC", "NYUMCCG", "UBERON", "NEU", "HPO", "RO", "ITIS_TSN",
    "ISO3166_1", "ISO639_1", "ISO639_2", "RFC3066", "RFC5646", "PUBCHEM_CID", "MAYOASRG", "IBSI",
))  # fmt: skip
"""Coding schemes whose meanings are the standard's own words (PS3.16 8-1)."""
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_MODES = {Step.ITEMS: Mode.TABLE, Step.ITEMS_CLEAN: Mode.CLEAN, Step.ITEMS_DUMMY: Mode.DUMMY}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a run replaces with: functions of the project, so that nothing here knows its key."""

    new_uid: Callable[[str], str]
    days: int | None
    own_words: frozenset[str]
    keeps_patient: bool
    age_limit: int | None


@dataclass(slots=True)
class Level:
    """The data set or an item: how it is encoded and what of it is known so far."""

    rules: Rules
    charset: CharacterSet
    path: tuple[int, ...] = ()
    mode: Mode = Mode.TABLE
    scheme: str = ""
    safe: dict[int, bytes] | None = None

    @property
    def parent(self) -> int:
        """Return the tag of the sequence that this item is in, 0 at the top level."""
        return self.path[-1] if self.path else 0

    @property
    def terms(self) -> tuple[str, ...]:
        """Return the character set's terms to encode with."""
        return self.charset.terms or ("ISO_IR 6",)


@dataclass(slots=True)
class Rewriting:
    """One run over one object."""

    view: memoryview
    plan: Plan
    choices: Choices
    declared: DataElements
    needles: Needles | None = None
    identity: Identity = field(default_factory=Identity)
    changes: Counter[Change] = field(default_factory=Counter)
    uids: dict[str, str] = field(default_factory=dict)
    document_tells: bool = False
    """Whether a document that was to be kept holds what the object loses."""

    def elements(
        self, places: Iterable[Element], level: Level, added: Iterable[tuple[int, Buffer]] = ()
    ) -> list[Buffer]:
        """Return the elements of a level as pieces, those `added` in their places among them."""
        decisions = self.plan.decisions(level.parent, level.mode)
        waiting = list(added)
        out: list[Buffer] = []
        start = end = 0
        searched = self.needles is not None
        for place in places:
            tag = place.tag
            while waiting and waiting[0][0] < tag:
                if end > start:
                    out.append(self.view[start:end])
                start = end = 0
                out.append(waiting.pop(0)[1])
            decision = decisions.get(tag) or self.plan.decide(tag, level.parent, level.mode)
            if decision.step is Step.KEEP and not searched and not place.undefined and place.vr != b"SQ":
                if tag == SCHEME:
                    level.scheme = self._text(place, level)
                if place.start != end:
                    if end > start:
                        out.append(self.view[start:end])
                    start = place.start
                end = place.end
                continue
            if end > start:
                out.append(self.view[start:end])
            start = end = 0
            self._apply(place, decision, level, out)
        if end > start:
            out.append(self.view[start:end])
        out += [piece for _, piece in waiting]
        return out

    def _apply(self, place: Element, decision: Decision, level: Level, out: list[Buffer]) -> None:
        step = decision.step
        if step is Step.DROP:
            return
        if step is Step.PRIVATE:
            self._private(place, level, out)
            return
        if decision.tells and place.length:
            self._learn(place, decision.tells, level)
        if step in _MODES or place.undefined or place.vr == b"SQ":
            if step in (Step.REMOVE, Step.EMPTY):
                self._learn_items(place, level)
                self._simple(place, step, level, out)
            else:
                self._items(place, _MODES.get(step, level.mode), level, out)
            return
        _ACTIONS[step](self, place, step, level, out)

    # what a value was

    def _vr(self, place: Element) -> bytes:
        return place.vr if place.vr not in (b"", b"UN") else implicit_vr(place.tag)

    def _raw(self, place: Element) -> bytes:
        return bytes(self.view[place.value : place.end])

    def _text(self, place: Element, level: Level) -> str:
        name = self._vr(place) == b"PN"
        return level.charset.decode(self._raw(place), name=name).replace("\0", "").strip(" ")

    def _learn(self, place: Element, tells: str, level: Level) -> None:
        if place.undefined:
            return
        text = self._text(place, level)
        _LEARNING[tells](self.identity, text)

    def _learn_items(self, place: Element, level: Level) -> None:
        """Learn from a sequence that goes as a whole: the same values may stand elsewhere."""
        self._items(place, Mode.TABLE, level, [], silent=True)

    # what becomes of it

    def _note(self, level: Level, tag: int, outcome: Outcome) -> None:
        self.changes[Change((*level.path, tag), outcome)] += 1

    def _write(self, place: Element, value: Buffer, level: Level, out: list[Buffer], vr: bytes | None = None) -> None:
        vr = vr or place.vr or implicit_vr(place.tag)
        padded = pad(bytes(value), (implicit_vr(place.tag) if vr == b"UN" else vr).decode("latin-1"))
        out.append(element_header(place.tag, vr, len(padded), level.rules))
        out.append(padded)

    def _simple(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        if step is Step.REMOVE:
            self._note(level, place.tag, Outcome.REMOVED)
            return
        vr = b"SQ" if place.undefined or implicit_vr(place.tag) == b"SQ" else None
        if step is Step.EMPTY:
            self._note(level, place.tag, Outcome.EMPTIED)
            self._write(place, b"", level, out, vr)
            return
        self._note(level, place.tag, Outcome.REPLACED)
        self._write(place, dummy(self._vr(place)), level, out)

    def _code(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        self._note(level, place.tag, Outcome.REPLACED)
        self._write(place, UNKNOWN_CODE.get(place.tag, b""), level, out)

    def _keep(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        """Copy an element unless it holds a value that the object loses elsewhere."""
        if place.tag == SCHEME:
            level.scheme = self._text(place, level)
        vr = self._vr(place)
        raw = self._raw(place) if self.needles is not None and vr not in _NUMBERS else b""
        found = self._scrubbed(raw, vr, level) if raw else raw
        if found == raw or place.tag == DOCUMENT:
            self.document_tells |= found != raw
            out.append(self.view[place.start : place.end])
            return
        self._note(level, place.tag, Outcome.SCRUBBED)
        self._write(place, found or b"", level, out)

    def _scrubbed(self, raw: bytes, vr: bytes, level: Level) -> bytes | None:
        """Return a value without what the object loses; none when that cannot be told apart in it."""
        assert self.needles is not None  # noqa: S101 - only a second run comes here
        if vr == b"UI":
            values = raw.decode("latin-1").strip("\0 ").split("\\")
            if not any(value in self.identity.uids for value in values):
                return raw
            return "\\".join(self._new_uid(v) if v in self.identity.uids else v for v in values).encode()
        lowered = raw.lower()
        uids = [uid for uid in self.identity.uids if uid.encode("latin-1", "replace") in lowered]
        if not uids and not self.needles.within(lowered, _LEAST.get(vr, 1)):
            return raw
        if vr in (b"DS", b"IS", b"AS", b"TM") and _NUMERIC.fullmatch(raw):
            return raw
        if vr not in _TEXTS:
            return dummy(vr) if vr in _NUMBER_TEXTS else None
        text = before = level.charset.decode(raw, name=vr == b"PN")
        for uid in uids:
            text = text.replace(uid, self._new_uid(uid))
        if vr != b"CS" or not is_technical(text):
            text = self.needles.taken_out(text)
        return raw if text == before else encode(text.strip(" ") or REMOVED_TEXT, level.terms)

    def _new_uid(self, original: str) -> str:
        new = self.choices.new_uid(original)
        self.uids[original] = new
        return new

    def _uid(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        originals = self._raw(place).decode("latin-1").strip("\0 ").split("\\")
        values = [self._new_uid(value.strip("\0 ")) for value in originals]
        self.identity.uids.update(
            old for old, new in zip(originals, values, strict=True) if old != new and len(old) > 5
        )
        if values != originals:
            self._note(level, place.tag, Outcome.UID_REPLACED)
        self._write(place, "\\".join(values).encode("latin-1"), level, out, b"UI" if level.rules.explicit else None)

    def _move(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        vr, text = self._vr(place), self._text(place, level)
        days = self.choices.days or 0
        values = [moved(value.strip(), vr.decode(), days) if value.strip() else "" for value in text.split("\\")]
        if any(value is None for value in values):
            self._simple(place, Step.DUMMY, level, out)
            return
        self._note(level, place.tag, Outcome.DATE_MOVED)
        self._write(place, "\\".join(value or "" for value in values).encode("ascii"), level, out)

    def _clean(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        vr = self._vr(place)
        if vr not in _TEXTS:
            self._keep(place, step, level, out)
            return
        before = self._text(place, level)
        text = self.needles.taken_out(before) if self.needles is not None else before
        if vr in (b"ST", b"LT", b"UT"):
            text = cleaned(text, self.choices.own_words)
        else:
            text = "\\".join(cleaned(value, self.choices.own_words) for value in text.split("\\"))
        if text != before:
            self._note(level, place.tag, Outcome.CLEANED)
        self._write(place, encode(text or (REMOVED_TEXT if before else ""), level.terms), level, out)

    def _meaning(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        """Keep the meaning of a standard's code; that of a local one is any text at all."""
        if level.scheme in _STANDARD_SCHEMES or level.mode is Mode.TABLE:
            self._keep(place, step, level, out)
        elif level.mode is Mode.CLEAN:
            self._clean(place, step, level, out)
        else:
            self._simple(place, Step.DUMMY, level, out)

    def _age(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        text, limit = self._text(place, level), self.choices.age_limit
        if limit is not None and text[:3].isdecimal() and text[3:4] == "Y" and int(text[:3]) > limit:
            self._note(level, place.tag, Outcome.REPLACED)
            self._write(place, f"{limit + 1:03d}Y".encode(), level, out)
            return
        self._keep(place, step, level, out)

    def _patient(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        self._note(level, place.tag, Outcome.REPLACED)  # the alias is among what is added, wherever it was missing

    def _charset(self, place: Element, step: Step, level: Level, out: list[Buffer]) -> None:
        level.charset = character_set(self._raw(place))
        out.append(self.view[place.start : place.end])

    def _private(self, place: Element, level: Level, out: list[Buffer]) -> None:
        vr = level.safe.get(place.tag) if level.safe is not None else None
        if vr is None:
            self._note(level, place.tag, Outcome.PRIVATE_REMOVED)
            return
        self._note(level, place.tag, Outcome.PRIVATE_KEPT)
        known = place.vr if place.vr not in (b"", b"UN") else vr
        if known == b"SQ" or place.undefined:
            self._items(place, Mode.TABLE, level, out)
        elif known == b"UI":
            self._uid(place, Step.UID, level, out)
        elif known in (b"PN", b"DA", b"DT"):
            self._simple(place, Step.EMPTY, level, out)
        else:
            self._keep(place, Step.KEEP, level, out)

    # sequences

    def _items(self, place: Element, mode: Mode, level: Level, out: list[Buffer], *, silent: bool = False) -> None:
        if len(level.path) > DEPTH_LIMIT:
            raise Malformed(f"Sequences nest deeper than {DEPTH_LIMIT}.")
        unknown = place.vr == b"UN" and level.rules.explicit
        rules = Rules(explicit=False) if unknown else level.rules
        if place.length and (place.length < 8 or self._tag_at(place.value) not in (ITEM, SEQUENCE_END)):
            if place.undefined and place.vr in _BYTES:
                out.append(self.view[place.start : place.end])
                return
            self._note(level, place.tag, Outcome.REMOVED)
            return
        outer = self.changes
        if silent:
            self.changes = Counter()
        pieces: list[Buffer] = []
        if place.undefined and place.vr in (b"OB", b"OW"):
            pieces.append(self.view[place.start : place.end])  # an icon's fragments
        else:
            self._rewritten_items(place, mode, level, rules, pieces, unknown=unknown)
        if silent:
            self.changes = outer
        out.extend(pieces)

    def _tag_at(self, at: int) -> int:
        group, element = struct.unpack_from("<HH", self.view, at)
        return int(group << 16 | element)

    def _rewritten_items(
        self, place: Element, mode: Mode, level: Level, rules: Rules, out: list[Buffer], *, unknown: bool
    ) -> None:
        content: list[bytes] = []
        for start, stop, _ in item_places(self.view, place, rules.explicit, little_endian=True):
            item = Level(rules, level.charset, (*level.path, place.tag), mode)
            if place.tag == CONTENT and self._of_patient(start, stop, rules):
                self._note(level, place.tag, Outcome.REMOVED)
                continue
            places = list(walk(self.view, rules.explicit, True, start, stop))
            if level.safe is not None:
                item.safe = safe_tags(self.view, places, self.declared)
            body = b"".join(self.elements(places, item))
            content.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
        whole = b"".join(content)
        if unknown:
            out.append(element_header(place.tag, b"UN", UNDEFINED, level.rules))
            out.append(whole + _SEQUENCE_END)
        else:
            out.append(element_header(place.tag, b"SQ", len(whole), level.rules))
            out.append(whole)

    def _of_patient(self, start: int, stop: int, rules: Rules) -> bool:
        if self.choices.keeps_patient:
            return False
        return tells_of_patient(DataElements(self.view, rules.explicit, True, start, stop))


_LEARNING: dict[str, Callable[[Identity, str], None]] = {
    "name": Identity.add_name, "value": Identity.add_value, "place": Identity.add_place, "date": Identity.add_date,
}  # fmt: skip
_ACTIONS: dict[Step, Callable[[Rewriting, Element, Step, Level, list[Buffer]], None]] = {
    Step.KEEP: Rewriting._keep, Step.REMOVE: Rewriting._simple, Step.EMPTY: Rewriting._simple,
    Step.DUMMY: Rewriting._simple, Step.UID: Rewriting._uid, Step.MOVE: Rewriting._move, Step.CLEAN: Rewriting._clean,
    Step.MEANING: Rewriting._meaning, Step.CODE: Rewriting._code, Step.AGE: Rewriting._age,
    Step.PATIENT: Rewriting._patient, Step.CHARSET: Rewriting._charset,
}  # fmt: skip


def top_level(declared: DataElements, view: memoryview, *, keeps_safe_private: bool) -> Level:
    """Return the level of the data set itself."""
    level = Level(Rules(declared.explicit), DEFAULT)
    if keeps_safe_private:
        level.safe = safe_tags(view, declared.places.values(), declared)
    return level
