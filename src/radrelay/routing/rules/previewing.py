"""What a study's attributes would be in a de-identified copy: shown when a rule is tried, without effect.

One object is written anew in memory, by a key and an alias that are used for nothing else: no patient gets an alias by
that, and what is shown ties no copy that is out to anybody.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from radrelay.archive.instances import find_instances
from radrelay.archive.models import Study
from radrelay.archive.reader import InstanceReader
from radrelay.clock import Clock
from radrelay.dicom.deidentify import Alias, Refused, Subject, deidentify
from radrelay.dicom.dictionary import keyword_of
from radrelay.dicom.elements import DataElements
from radrelay.pseudonyms import VaultSeal, engine_project, header_of
from radrelay.routing.errors import ObjectsKeptBack
from radrelay.routing.rules.actions import Difference, Kinds
from radrelay.routing.rules.forwarding import Forward, Preview

SHOWN_ALIAS = "ALIAS"
LARGEST = 32 << 20
LONGEST = 120


@dataclass(frozen=True, slots=True)
class CopyPreview:
    """Fulfils `forwarding.Preview`."""

    clock: Clock
    reader: InstanceReader
    seal: VaultSeal = field(repr=False)

    def __call__(
        self, session: Session, organisation_id: uuid.UUID, project_id: uuid.UUID, study: Study
    ) -> Iterator[Difference]:
        """Yield the attributes of the study's first object that would be others.

        Raises `ProjectUnknown`, `ProjectDisabled`, and `ObjectsKeptBack` for one that cannot be made safe.
        """
        project = engine_project(session, self.seal, organisation_id, project_id)
        project = replace(project, key=secrets.token_bytes(len(project.key)))
        refs = find_instances(session, self.clock.now(), organisation_id=organisation_id, study_id=study.id)
        ref = next((one for one in refs if one.size <= LARGEST), None)
        if ref is None:
            return
        kept = self.reader.data_set(ref)
        subject = Subject(study.patient_issuer, study.patient_id_value)
        made = deidentify(kept, ref.transfer_syntax_uid, project, Alias(SHOWN_ALIAS, SHOWN_ALIAS), subject)
        if isinstance(made, Refused):
            raise ObjectsKeptBack("the object that was looked at would be kept back", n=1, total=1)
        before, after = header_of(kept, ref.transfer_syntax_uid), header_of(b"".join(made.pieces), made.ts)
        if before is None or after is None:
            return
        for tag in sorted({change.path[0] for change in made.report.changes}):
            old, new = _told(before, tag), _told(after, tag)
            if old != new:
                yield Difference(keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})", old, new)


def _told(header: DataElements, tag: int) -> str:
    return "\\".join(header.decoded(tag))[:LONGEST] if tag in header.places else ""


def previewed(kinds: Kinds, preview: Preview) -> Kinds:
    """Return kinds of which *forward* shows what copies would be like."""
    return {name: replace(kind, preview=preview) if isinstance(kind, Forward) else kind for name, kind in kinds.items()}
