"""Values of *coerce* that are made of a study's own: `N-{accession_number}`.

An attribute that is made of an empty one stays as it is: else patients without a number would share one. What was made
of its own former value (a study that comes back under its new number, a rule that was changed) is told by the value
before, as corrections and the Original Attributes Sequence (PS3.3 C.12.1.1.9) keep it, and is not made once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.corrections import ATTRIBUTES
from radrelay.archive.instances import find_instances
from radrelay.archive.models import Correction, Study
from radrelay.dicom.reidentify import MODIFIED_ATTRIBUTES, ORIGINAL_ATTRIBUTES
from radrelay.errors import RadrelayError, Unavailable
from radrelay.routing.rules.actions import Met

NAMED = re.compile(r"\{([a-z_]+)\}")
BY_RULE = "rule "
"""Begins who made a correction that a rule made."""


def filled(session: Session, met: Met, templates: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the values to be written, and the attributes that are left because what they are made of is empty.

    Raises `Unavailable` where the values before cannot be read just now.
    """
    values = {name: _of(met.study, name) for name in ATTRIBUTES}
    values |= dict(_before(session, met, templates, values))
    left = [name for name, template in templates.items() if not all(values[one] for one in NAMED.findall(template))]
    return {name: _made(template, values) for name, template in templates.items() if name not in left}, left


def _before(
    session: Session, met: Met, templates: Mapping[str, str], values: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the values of which those that the study has were made by these templates."""
    may_be = {
        name: value for name, template in templates.items() if (value := _taken_apart(name, template, values)) != ""
    }
    if may_be:
        kept = _kept(session, met)
        yield from ((name, value) for name, value in may_be.items() if value in kept.get(name, ()))


def _taken_apart(name: str, template: str, values: Mapping[str, str]) -> str:
    """Return of what an attribute's value could have been made by a template of itself, nothing if of none."""
    head, own, tail = template.partition(f"{{{name}}}")
    if not own or f"{{{name}}}" in tail:
        return ""
    begin, end, whole = _made(head, values).lstrip(), _made(tail, values).rstrip(), values[name]
    fits = len(whole) > len(begin) + len(end) and whole.startswith(begin) and whole.endswith(end)
    return whole[len(begin) : len(whole) - len(end)].strip() if fits and (begin or end) else ""


def _kept(session: Session, met: Met) -> dict[str, set[str]]:
    """Return the values that attributes had before, by corrections that rules made and by the first object."""
    found: dict[str, set[str]] = {name: set() for name in ATTRIBUTES}
    mine = (Correction.study_id == met.study.id, Correction.by.startswith(BY_RULE))
    for before in session.scalars(sa.select(Correction.before).where(*mine)):
        said = json.loads(before)
        for name, attribute in ATTRIBUTES.items():
            found[name].add(str(said.get(str(attribute.tag), "")).strip())
    refs = find_instances(session, met.now, organisation_id=met.organisation_id, study_id=met.study.id)
    if met.headers is None or not refs:
        return found
    try:
        header = met.headers.header(refs[0])
    except Unavailable:
        raise
    except RadrelayError:  # what cannot be read says nothing
        return found
    for change in header.items(ORIGINAL_ATTRIBUTES):
        for item in change.items(MODIFIED_ATTRIBUTES):
            for name, attribute in ATTRIBUTES.items():
                if attribute.tag in item:
                    found[name].add(item.text(attribute.tag).strip())
    return found


def _made(template: str, values: Mapping[str, str]) -> str:
    return NAMED.sub(lambda found: values[found[1]], template)


def _of(study: Study, name: str) -> str:
    value = getattr(study, ATTRIBUTES[name].column)
    return f"{value:%Y%m%d}" if isinstance(value, date) else str(value or "").strip()
