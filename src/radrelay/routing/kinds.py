"""The kinds of destinations, and what a person has to enter for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from radrelay.errors import RadrelayError
from radrelay.mail import require_address
from radrelay.network.titles import AE_TITLE
from radrelay.network.web_service import is_service_address
from radrelay.routing.errors import DestinationInvalid

if TYPE_CHECKING:
    from radrelay.routing.destinations import DestinationDraft

Kind = Literal["dicom", "dicomweb", "folder", "mail", "hl7"]
KINDS: tuple[Kind, ...] = ("dicom", "dicomweb", "folder", "mail", "hl7")
CARRYING: tuple[Kind, ...] = ("dicom", "dicomweb", "folder")
"""Those that objects go to; the others tell of a patient."""


def check(draft: DestinationDraft, folders: Sequence[Path]) -> None:
    """Raise `DestinationInvalid`, naming the field, unless what the draft's kind needs can be right.

    `folders` are those below which objects may be written.
    """
    checks: dict[str, Callable[[], None]] = {
        "dicom": lambda: _node(draft),
        "dicomweb": lambda: _url(draft),
        "folder": lambda: _folder(draft, folders),
        "mail": lambda: _mail(draft),
        "hl7": lambda: _receiver(draft),
    }
    if draft.kind not in checks:
        raise DestinationInvalid(f"kind: one of {', '.join(KINDS)}", field="kind")
    if draft.commitment and draft.kind != "dicom":
        raise DestinationInvalid("commitment: only a DICOM node can be asked for it", field="commitment")
    if draft.performed_steps and (draft.kind != "dicom" or draft.project_id is not None):
        words = "performed_steps: a DICOM node takes them, and they name the patient, so none go by a project"
        raise DestinationInvalid(words, field="performed_steps")
    if draft.project_id is not None and draft.kind not in CARRYING:
        raise DestinationInvalid(
            "project_id: a notice tells of the patient, so none is sent by a project", field="project_id"
        )
    checks[draft.kind]()


def _node(draft: DestinationDraft) -> None:
    for field, title in (("ae_title", draft.ae_title), ("calling_ae_title", draft.calling_ae_title)):
        if (title or field == "ae_title") and not AE_TITLE.fullmatch(title):
            raise DestinationInvalid(f"{field}: an AE title has 1 to 16 printable characters", field=field)
    _host_and_port(draft)


def _host_and_port(draft: DestinationDraft) -> None:
    if not draft.host.strip() or len(draft.host) > 255 or any(c.isspace() for c in draft.host):
        raise DestinationInvalid("host: a name or an address without spaces", field="host")
    if not 1 <= draft.port <= 65535:
        raise DestinationInvalid("port: 1 to 65535", field="port")


def _url(draft: DestinationDraft) -> None:
    if not is_service_address(draft.address):
        words = "address: https://host/path of the DICOMweb service, without name and password"
        raise DestinationInvalid(words, field="url")
    if ":" in draft.username:
        raise DestinationInvalid("username: without a colon (RFC 7617)", field="username")


def _folder(draft: DestinationDraft, folders: Sequence[Path]) -> None:
    path = Path(draft.address)
    if not path.is_absolute() or not is_below(path, folders):
        words = "address: a folder below one of work.folders, which who runs this machine sets"
        raise DestinationInvalid(words, field="folder")


def is_below(path: Path, folders: Sequence[Path]) -> bool:
    """Say whether a path leads to one of `folders` or below it, wherever links on its way lead."""
    real = path.resolve()
    return any(real.is_relative_to(folder.resolve()) for folder in folders)


def _mail(draft: DestinationDraft) -> None:
    try:
        require_address(draft.address)
    except RadrelayError as error:
        raise DestinationInvalid("address: an e-mail address", field="email") from error


def _receiver(draft: DestinationDraft) -> None:
    _host_and_port(draft)
    if len(draft.address.split("|")) > 2 or any(mark in draft.address for mark in "^~\\&\r\n"):
        raise DestinationInvalid("address: APPLICATION|FACILITY of the HL7 receiver", field="receiver")
