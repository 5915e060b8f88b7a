"""Addresses that lead to images by DICOMweb: shares of Kheops and Orthanc, and any of WADO-RS or QIDO-RS.

In: a link. Out: where the DICOMweb service is, what opens it there, and the studies that the link is of (none named:
all that the token opens). Nobody is asked. Kheops takes its token as Bearer at `/api` (its documentation, tokens);
Orthanc's viewers send theirs in a header of the parameter's name, OHIF as Bearer: both are sent.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from radrelay.importer.connectors.ports import Lead
from radrelay.importer.errors import PortalTrouble
from radrelay.importer.places import Target, target_of
from radrelay.importer.secret import Secret

Kind = Literal["kheops", "orthanc", "dicomweb"]
MOST_STUDIES = 5000
_KHEOPS_VIEW = re.compile(r"(?P<before>.*)/view/(?P<token>[A-Za-z0-9]{22})/?")
_KHEOPS_LINK = re.compile(r"(?P<before>.*)/api/link/(?P<token>[A-Za-z0-9]{22})(?P<after>/.*)?")
_ORTHANC = re.compile(
    r"(?P<before>.*?)/(?:ui/app/(?:token-landing|retrieve-and-view)(?:\.html)?|stone-webviewer/index\.html"
    r"|ohif/viewer|app/explorer\.html|osimis-viewer/app/index\.html)/?"
)
_STUDIES = re.compile(r"(?P<base>.*)/studies(?:/(?P<study>[0-9.]+)(?:/series/(?P<series>[0-9.]+))?(?:/.*)?)?/?")
_ORTHANC_TOKENS = ("token", "auth-token", "authorization")
_BEARERS = ("access_token", "token", "bearer")
_STUDY_PARAMETERS = ("study", "studyinstanceuids", "studyinstanceuid")


@dataclass(frozen=True, slots=True)
class Shared:
    """A share by DICOMweb. `base` is the service's root; it and the token show themselves nowhere."""

    kind: Kind
    host: str
    base: str = field(repr=False)
    token: Secret
    study_uids: tuple[str, ...] = field(default=(), repr=False)
    series_uid: str = field(default="", repr=False)
    header: str = ""

    @property
    def credentials(self) -> Mapping[str, str]:
        """Return the headers that open it, for its own host alone."""
        if not self.token:
            return {}
        bearer = {"Authorization": f"Bearer {self.token.value.removeprefix('Bearer ')}"}
        return {self.header: self.token.value, **bearer} if self.header else bearer

    @property
    def lead(self) -> Lead:
        """Return it as connectors do."""
        return Lead("dicomweb", self.host, self.token, Secret(self.base))


def shared_by(link: str, *, clear_loopback: bool = False) -> Shared | None:
    """Return what a link shares by DICOMweb, none if it is no such link."""
    try:
        target = target_of(link.partition("#")[0], clear_loopback=clear_loopback)
        parts = urlsplit(link)
        asked = {name.lower(): value for name, value in parse_qsl(parts.query)}
    except (PortalTrouble, ValueError):
        return None
    path = unquote(target.path.partition("?")[0])
    if any(part in ("..", ".") for part in path.split("/")):
        return None
    return _kheops(target, path) or _orthanc(target, path, asked) or _dicomweb(target, path, asked)


def _kheops(target: Target, path: str) -> Shared | None:
    found = _KHEOPS_VIEW.fullmatch(path) or _KHEOPS_LINK.fullmatch(path)
    if found is None:
        return None
    named = _STUDIES.fullmatch(found.groupdict().get("after") or "")
    base = f"{_root(target)}{found['before']}/api"
    study = (named and named["study"]) or ""
    return Shared(
        "kheops", target.name, base, Secret(found["token"]), _uids(study), uid_of((named and named["series"]) or "")
    )


def _orthanc(target: Target, path: str, asked: Mapping[str, str]) -> Shared | None:
    found = _ORTHANC.fullmatch(path)
    if found is None:
        return None
    name = next((one for one in _ORTHANC_TOKENS if asked.get(one)), "")
    token = asked.get(name, "")
    given = ",".join(asked.get(one, "") for one in _STUDY_PARAMETERS)
    studies = _uids(given) or _studies_of(token)
    if not token and not studies:
        return None
    header = name if name != "authorization" else ""
    base = f"{_root(target)}{found['before']}/dicom-web"
    return Shared("orthanc", target.name, base, Secret(token), studies, uid_of(asked.get("series", "")), header)


def _dicomweb(target: Target, path: str, asked: Mapping[str, str]) -> Shared | None:
    found = _STUDIES.fullmatch(path)
    if found is None:
        return None
    token = next((asked[one] for one in _BEARERS if asked.get(one)), "")
    studies = _uids(found["study"] or asked.get("studyinstanceuid", "") or asked.get("0020000d", ""))
    base = f"{_root(target)}{found['base']}"
    return Shared("dicomweb", target.name, base, Secret(token), studies, uid_of(found["series"] or ""))


def _root(target: Target) -> str:
    return target.url.removesuffix(target.path)


def _studies_of(token: str) -> tuple[str, ...]:
    """Return the studies that an Orthanc share's token names in itself."""
    body = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, RecursionError):
        return ()
    if not isinstance(told, dict):
        return ()
    listed = told.get("resources") or told.get("studies") or [told]
    named = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return _uids(",".join(str(one.get("dicom_uid") or one.get("dicom-uid") or "") for one in named))


def _uids(text: str) -> tuple[str, ...]:
    found = dict.fromkeys(uid for one in re.split(r"[,\\]", text) if (uid := uid_of(one.strip())))
    return tuple(found)[:MOST_STUDIES]


def uid_of(text: str) -> str:
    """Return a UID as it is (PS3.5 9.1), nothing for what is none: what a portal names leads nowhere else."""
    return text if re.fullmatch(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)+", text) else ""
