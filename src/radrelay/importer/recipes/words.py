"""What is said of a recipe to whoever keeps it: a code with its values, and plain English made of both.

Pages say it in the reader's language by the code; commands and logs say the English. No value is of a walk or a page:
they are names, hosts and texts of the recipe itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Words:
    """Something that is said. Two of the same code and values are the same."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it in plain English."""
        return _PLACE.sub(lambda place: str(self.values.get(place[1], place[0])), ENGLISH[self.code])

    def __hash__(self) -> int:
        """Return by what equals are found."""
        return hash((self.code, *sorted((name, str(value)) for name, value in self.values.items())))


class Unreadable(ValueError):
    """This text of a recipe is not what it should be."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words


Value = str | int | Words


def say(code: str, **values: Value) -> Words:
    """Return words by their code."""
    return Words(code, values)


ENGLISH: Mapping[str, str] = {
    # of a file
    "not-text": "cannot be read as a text in UTF-8 ({kind})",
    "too-large": "is larger than {limit} KiB",
    "file-name": "a file is named in small letters, digits and hyphens, and ends in .toml",
    "too-many-files": "there are more than {limit}",
    "no-toml": "{said}",
    "unknown-key": "is not known here; known are {known}",
    "missing": "is missing",
    "one-of": "input should be {expected}",
    "no-text": "input should be a text",
    "no-number": "input should be a number",
    "no-switch": "input should be true or false",
    "no-table": "input should be a table",
    "no-list": "input should be a list",
    "at-least": "input should be greater than or equal to {least}",
    "at-most": "input should be less than or equal to {limit}",
    "too-few": "input should have at least {least} of them",
    "too-many": "input should have at most {limit} of them",
    "too-short": "input should have at least {least} characters",
    "too-long": "input should have at most {limit} characters",
    "no-json": "dates, times and nan are no JSON; a date is written as a text",
    "not-formed": "input should be of the form {form}",
    "unfit": "{said}",
    # what belongs together
    "asked-twice": "{name} is asked twice",
    "most-patterns": "a recipe has {limit} patterns at most",
    "no-host": "{host} is no host (portal.example, portal.example:8443, *.clinic.example)",
    "link-values": "a link names each value once, and without a form",
    "link-beside": "two values stand side by side: nobody can tell where the first ends",
    "link-lacks": "{hole} is not in every link: an [[ask]] of that name asks for it then",
    "link-hosts": "with hosts of *. alone, links begin with /",
    "no-address": "this is no address",
    "address-begins": "an address begins with https:// and a host, or with / on the same host",
    "host-written": "a host is written out",
    "host-not-own": "{host} is none of the recipe's hosts",
    "address-leads": "an address begins with what a page gave, not with {hole}",
    "step-twice": "another step is called {name}",
    "take-given": "{name} is what the person or the link gives",
    "downloads-last": "a recipe ends with its downloads, and has one at least",
    "known-already": "{name} is known here already",
    "step-one": "a step has exactly one of {kinds}",
    "post-only": "only post sends a form or json",
    "multipart": "is how a form is sent",
    "form-or-json": "a post sends a form or json, not both",
    "wait-until": "wait needs until, and nothing else has it",
    "download-judged": "a download takes and expects nothing: its bytes are judged",
    "download-status": "how a download fails is told by its status alone",
    "download-guess": "how a download fails is told, and not guessed",
    "frames-browser": "in a browser goto, fill, click and save may name a page in a frame",
    "frames-get": "a page in a frame is gone on to from what get, post or goto brings",
    "no-header": "is no header that a recipe sets",
    "not-known": "{hole} is not known here: not asked, in no link, and not taken before",
    "many": "{hole} is many; a download alone begins with it",
    "number-alone": "{hole} stands alone, in json",
    "written-day": "{hole} is written {form} or the like",
    "written-text": "{hole} is written {form}, as a text",
    "look-nothing": "says nothing: status, text, pattern, json, element or address",
    "needs-json": "needs json, which it is the value of",
    "needs-element": "needs element",
    "take-one": "is taken in exactly one way: field, element, json, pattern, cookie or header",
    "take-element": "element and attribute go together",
    "take-where": "where and holds need element",
    "take-once": "there is one at most",
    # values in braces, paths and patterns
    "brace-alone": "{sign} stands alone; a brace is written twice",
    "no-name": "{hole} is no name: small letters, digits and _",
    "no-form": "{hole}: {form} is no form; dates: DD.MM.YYYY and the like, texts: {known}",
    "no-path": "{text} is no path into JSON, as in data.files[0].url or files[*].url",
    "path-deep": "{text} leads too deep",
    "pattern-long": "a pattern has {limit} characters at most",
    "pattern-groups": "a pattern has one group at most, around what is wanted",
    "pattern-nothing": "a pattern must not fit nothing",
    "pattern-whole": 'a pattern may take {limit} characters in all; count them: [^"]{1,200}',
    "pattern-question": "groups with a question mark are not known",
    "pattern-sign": "{sign} is not known",
    "pattern-open": "a class of characters does not end, or holds a [ without \\",
    "pattern-repeat": "a group, or nothing, cannot be repeated",
    "pattern-escape": "{sign} is not known; write \\{sign} for the character",
    "pattern-class": "{sign} is no class of characters",
    "pattern-count": "{ stands for a count, as in {1,200}; write \\{ for the character",
    "pattern-most": "a character may be repeated {limit} times at most",
    "pattern-possessive": "{sign} is not known: what is repeated takes all it can; write what may stand there instead,"
    ' as in [^"]*',
    "pattern-apart": "{sign} would also take what {after} after it has to find; write what may stand there instead, as"
    ' in [^"]*',
    # steps in a browser
    "of-browsers": "{keys} are of recipes with browser = true",
    "browser-one": "a step in a browser has exactly one of {kinds}",
    "browser-without": "is of recipes without browser = true",
    "browser-own": "a browser sends its own headers and forms",
    "browser-brings": "what brings a parcel takes, expects and asks for nothing: its bytes are judged",
    "element-one": "an element is found in exactly one way: {ways}",
    "browser-looks": "a page in a browser has no status and no json: text, pattern, element, address",
    "browser-takes": "in a browser, what is taken is a field, an element or a pattern, once",
    # tests
    "link-not-own": "is none of the recipe's links",
    "not-answered": "{name} is asked and not answered",
    "not-asked": "is not asked",
    "exchange-one": "exactly one of get and post is what is asked",
    "exchange-sends": "only post sends a form or json",
    "exchange-answers": "one of page, answer, file and zip is what is sent",
    "no-file": "{file} is no file in the folder {folder} beside the recipe",
    "test-link": "its link is none of the recipe's",
    "test-comes": "comes to {came}, not to {wanted}",
    "test-outdated": "comes to {came} ({why}), not to {wanted}",
    "test-left": "{n} of what was recorded is left over",
    "test-beyond": "asks {asked}, after all that was recorded",
    "test-otherwise": "asks {asked}, where {recorded} was recorded",
    "test-header": "sends {name} {sent}, where {recorded} was recorded",
    "test-field": "sends {name} = {sent}, where {recorded} was recorded",
    "test-field-new": "sends {name} = {sent}, which was not recorded",
    "test-unrecorded": "asks {asked}, of which nothing was recorded",
    "test-unanswered": "asks for {name}, which the test does not answer",
    "test-browser": "needs a browser to be played in",
    "test-unplayable": "cannot be played: {why}",
    # a portal that is no longer as its recipe says
    "status": "it answers HTTP {status}",
    "address": "it leads to another address",
    "text": "it does not say {texts}",
    "pattern": "nothing in it is as {pattern} says",
    "element": "it has no such element {element}",
    "json": "its JSON has nothing such at {path}",
    "take": "{name} is not where the recipe takes it from",
    "take-most": "{name} is there more than {limit} times",
    "take-cut": "{name} cannot be taken whole from so long a page",
    "link": "the link is not known",
    "endless": "the walk comes to no end",
    "nothing-waited": "nothing is waited for",
    "elsewhere": "it leads to {host}, which is none of the recipe's hosts",
    "number": "{hole} is no number",
    "header": "what was taken fits no header",
    "led": "what was taken is no address",
    "frame": "it has no such page in a frame",
    "to-fill": "what is to be filled or clicked is not there",
    "to-choose": "the list does not hold what is to be chosen",
    "to-take": "the field does not take what it is filled with",
    "no-download": "nothing is downloaded",
    # what a person looks at in a draft
    "draft": "A draft from one walk: look it over, then try it at the portal.",
    "fails-learned": "How the portal answers what is wrong was learned from the wrong try in the walk.",
    "fails-guessed": "How a wrong code or birth date, a lock or an expired link looks was not in the walk: lines with"
    " guess = true are guesses. Take guess = true out of those that were seen to be right.",
    "fails-other": "How a lock or an expired link looks was not in the walk: lines with guess = true are guesses. Take"
    " guess = true out of those that were seen to be right.",
    "fails-form": "That the portal shows its form again for what is wrong is a guess: look whether it does.",
    "fails-blind": "Step {step} looks the same whether the answers are right or wrong: write what success looks"
    " like (expect).",
    "asked-for": "No page gave {names}, so it is asked for; a constant is written in its place.",
    "parcels": "{found} parcels were fetched; only the first is: all = true takes all addresses.",
    "posted-parcel": "The parcel was posted for; recipes download by GET: look whether the portal takes that.",
    "null": "Null in JSON cannot be written in a recipe and is left out.",
    "authorization": "An Authorization header was sent that no earlier answer gave.",
    "header-left": "Header {name} was sent, and no earlier answer gave it: it is left out.",
    "until": "In what the last answer of the waiting differs was not found: write until.",
    "no-birth-date": "The birth date of the import was not found in the walk: look whether parts of one stand in"
    " what is sent.",
}  # fmt: skip
"""What each code says, with its values in braces. The pages' catalogues have the same codes."""
