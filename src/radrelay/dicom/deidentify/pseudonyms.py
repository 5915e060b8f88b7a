"""Aliases built by a site's own pattern, such as `{project}-{number:05}{check}`, and what a vault of them offers.

In: a pattern, a project, a running number. Out: the alias, and whether a typed one is well formed. Letters follow from
the project's key, so that an alias cannot be guessed from its neighbours; the check character is that of ISO 7064,
MOD 11,10 after digits alone, else MOD 37,36: it finds every single wrong character and nearly every swap. An alias is
ASCII, which every character set of PS3.5 6.1 has: it stands in objects whose own set may lack any other letter, and a
result under an alias with one letter lost is nobody's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from radrelay.dicom.deidentify.engine import Alias
from radrelay.dicom.deidentify.keyed import Subject
from radrelay.dicom.deidentify.options import Project
from radrelay.dicom.deidentify.returning import Original
from radrelay.dicom.names import plain_ascii
from radrelay.errors import Invalid

LONGEST = 64
"""Characters of a Patient ID (LO, PS3.5 6.2)."""
_FIELD = re.compile(r"\{(?P<name>[a-z]+)(?::(?P<width>\d{1,2}))?\}")
_NAMES = frozenset(("project", "number", "letters", "check"))
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS, _ALPHABET = "0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FORBIDDEN = re.compile(r"[\\^=*?\x00-\x1f]")


class AliasNotWritable(Invalid):
    """An alias would have letters that not every object can hold."""

    code = "aliases-not-ascii"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A site's pattern for aliases; made by `read_pattern`."""

    text: str

    def alias(self, project: Project, number: int) -> str:
        """Return the alias of a number.

        Raises
        ------
        Invalid
            When the number has more digits than the pattern has room for, or the alias is too long.
        AliasNotWritable
            When it has a letter that an object may have no room for, or a space at an end.
        """
        done = ""
        at = 0
        for field in _FIELD.finditer(self.text):
            done += self.text[at : field.start()]
            done += self._filled(field, project, number, done)
            at = field.end()
        done += self.text[at:]
        if len(done) > LONGEST:
            raise Invalid(f"The alias has {len(done)} characters; {LONGEST} are the most.")
        if not (done.isascii() and done.isprintable()) or done != done.strip():
            raise AliasNotWritable(f"Aliases have ASCII letters alone and no space at their ends; this is {done!r}.")
        return done

    def _filled(self, field: re.Match[str], project: Project, number: int, done: str) -> str:
        width = int(field["width"] or 0)
        match field["name"]:
            case "project":
                return plain_ascii(project.name)
            case "number":
                if number < 0 or (width and len(str(number)) > width):
                    raise Invalid(f"The number {number} does not fit into {width} digits.")
                return f"{number:0{width}d}"
            case "letters":
                return _letters(project, self.text, number, width or 3)
            case _:
                return check_character(done)

    def fits(self, alias: str, project: Project) -> bool:
        """Return whether an alias, as typed, is one of this pattern and its check character agrees."""
        at, expression = 0, ""
        for field in _FIELD.finditer(self.text):
            expression += re.escape(self.text[at : field.start()]) + self._matching(field, project)
            at = field.end()
        found = re.fullmatch(expression + re.escape(self.text[at:]), alias)
        if found is None:
            return False
        if "check" not in found.groupdict():
            return True
        return found["check"] == check_character(alias[: found.start("check")])

    def _matching(self, field: re.Match[str], project: Project) -> str:
        width = int(field["width"] or 0)
        match field["name"]:
            case "project":
                return re.escape(plain_ascii(project.name))
            case "number":
                return rf"\d{{{width}}}" if width else r"\d+"
            case "letters":
                return rf"[{_LETTERS}]{{{width or 3}}}"
            case _:
                return r"(?P<check>[0-9A-Z])"


def read_pattern(text: str) -> Pattern:
    """Return the pattern that a site writes.

    Raises
    ------
    Invalid
        When it names an unknown field, lacks the number that makes aliases differ, or has a character that a
        patient ID or name cannot hold.
    """
    names = [field["name"] for field in _FIELD.finditer(text)]
    rest = _FIELD.sub("", text)
    if set(names) - _NAMES or "{" in rest or "}" in rest:
        raise Invalid("A pattern's fields are {project}, {number:05}, {letters:3} and {check}.")
    if names.count("number") != 1 or names.count("check") > 1:
        raise Invalid("A pattern has the field {number} once, and {check} at most once.")
    if _FORBIDDEN.search(rest):
        raise Invalid("A pattern holds no backslash, caret, equals sign, star or question mark.")
    return Pattern(text)


def check_character(text: str) -> str:
    """Return the check character after the letters and digits of `text` (ISO 7064, hybrid systems)."""
    letters = [letter for letter in text.upper() if letter in _ALPHABET]
    alphabet = _DIGITS if all(letter in _DIGITS for letter in letters) else _ALPHABET
    modulus = len(alphabet)
    rest = modulus
    for letter in letters:
        rest = (rest + alphabet.index(letter)) % modulus or modulus
        rest = rest * 2 % (modulus + 1)
    return alphabet[(modulus + 1 - rest) % modulus]


def _letters(project: Project, pattern: str, number: int, count: int) -> str:
    message = f"letters\0{pattern}\0{number}".encode()
    drawn = int.from_bytes(hmac.new(project.key, message, hashlib.sha512).digest(), "big")
    found = ""
    for _ in range(count):
        drawn, index = divmod(drawn, len(_LETTERS))
        found += _LETTERS[index]
    return found


class Vault(Protocol):
    """Where aliases are kept apart from the images, under a key of its own; each look at an identity is on record."""

    def alias_of(self, project: str, subject: Subject) -> Alias:
        """Return the patient's alias in a project, a new one when there is none."""

    def remember(self, project: str, alias: Alias, uids: Mapping[str, str]) -> None:
        """Keep which new UIDs (values) stand for which original ones (keys)."""

    def original_of(self, project: str, alias: str) -> Original | None:
        """Return whose alias it is and what turns results back, none when it is nobody's."""
