"""A provider of DLX for tests of importers, which can be told to fail in each way of `contract.FAULTS`.

In: a request. Out: what is answered, and in which manner it is sent. It keeps no state but what it has counted.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from radrelay.errors import Invalid
from radrelay.importer.dlx import contract
from radrelay.importer.dlx.library import Library, Offered
from radrelay.importer.dlx.spoiling import PAGE, PROGRAM, spoiled

Manner = Literal["whole", "break-off", "stall", "drip", "endless"]
MANNERS: tuple[Manner, ...] = ("break-off", "stall", "drip", "endless")
JWT_LIFE_S, SHORT_S, COME_BACK_S = 600, 1, 1
HTML = "text/html; charset=utf-8"
ALGORITHM = "HS256"


class FaultUnknown(Invalid):
    """This provider knows no such fault."""

    code = "dlx-fault-unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: bytes, or a file that is sent in a manner."""

    status: int
    media_type: str = ""
    body: bytes = b""
    file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "whole"


@dataclass(frozen=True, slots=True)
class Key:
    """A token and what opens it: answers by questionType."""

    token: str
    answers: Mapping[str, str] = field(repr=False)
    expired: bool = False


_WORDS = {
    "PAT_BIRTH_DATE": ("When were you born?", "Wann sind Sie geboren?"),
    "STUDY_DATE": ("When was your examination?", "Wann war Ihre Untersuchung?"),
    "PASSWORD": ("What is your password?", "Wie lautet Ihr Passwort?"),
}


class Provider:
    """Answers as a provider does, at `address` (`https://host:port`). Thread-safe, but its counts are rough."""

    def __init__(
        self, library: Library, keys: tuple[Key, ...], faults: frozenset[str] = frozenset(), address: str = ""
    ) -> None:
        unknown = sorted(faults - contract.FAULTS_BY_NAME.keys())
        if unknown:
            raise FaultUnknown(f"no such fault: {', '.join(unknown)}")
        self._library, self._keys, self.faults, self.address = (
            library,
            {one.token: one for one in keys},
            faults,
            address,
        )
        self._secret = OctKey.import_key(secrets.token_bytes(32))
        self._downloads = 0

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request; `headers` by small names."""
        parts = urlsplit(url)
        asks = contract.HEADER.lower() in headers
        if parts.path == "/portal" and method == "GET":
            token = parse_qs(parts.query).get("token", [""])[0]
            return self._questions(token) if asks else Answer(contract.OK, HTML, PAGE)
        if not parts.path.startswith(f"{contract.BASE}/"):
            return Answer(404)
        step, _, rest = parts.path.removeprefix(f"{contract.BASE}/").partition("/")
        value = unquote(rest)
        if step == contract.TOKEN and method == "GET":
            return self._questions(value)
        if step == contract.ANSWERS and method == "POST":
            return self._login(value, body)
        if step == contract.API_INFO and method == "GET":
            return _json(self._api_info())
        return self._closed(method, step, value, headers)

    def _closed(self, method: str, step: str, value: str, headers: Mapping[str, str]) -> Answer:
        """Answer what only a login opens."""
        if method != "GET" or step not in (contract.LIST, contract.DOWNLOAD, contract.DOWNLOAD_ALL):
            return Answer(404)
        if not (
            self._counts(headers.get("authorization", "")) or (step == contract.LIST and "list-open" in self.faults)
        ):
            silent = "jwt-silent" in self.faults and "authorization" in headers
            return Answer(contract.OK if silent else contract.UNAUTHORISED)
        if step == contract.LIST:
            return self._list()
        if step == contract.DOWNLOAD_ALL:
            return self._download(self._library.all(), contract.ZIP)
        found = next((one for one in self._library.items if one.id == value), None)
        if found is None:
            return Answer(contract.BAD_REQUEST)
        return self._download(self._library.file(found), self._media_type(found))

    def _questions(self, token: str) -> Answer:
        if "inside-redirect" in self.faults:
            return Answer(302, headers={"Location": "https://169.254.169.254/latest/meta-data/"})
        if "questions-page" in self.faults:
            return Answer(contract.OK, HTML, PAGE)
        key = self._keys.get(token)
        if key is None and "unknown-404" in self.faults:
            return Answer(404)
        kinds = list(key.answers) if key is not None else ["PAT_BIRTH_DATE"]
        asked = [self._question(str(place), kind) for place, kind in enumerate(kinds, 1)]
        return _json({"apiInfo": [self._api_info()], "tfaQuestion": asked})

    def _question(self, number: str, kind: str) -> dict[str, Any]:
        english, german = _WORDS[kind]
        texts: Any = [{"text": english, "language": "en"}, {"text": german, "language": "de"}]
        return {
            "question": english if "questions-text" in self.faults else texts,
            "questionId": number,
            "questionType": kind,
            "answerFormat": "STRING" if kind == "PASSWORD" else "DATE",
        }

    def _login(self, token: str, body: bytes) -> Answer:
        key = self._keys.get(token)
        try:
            told = {str(one["questionId"]): str(one["answer"]) for one in json.loads(body)["tfaAnswer"]}
        except (ValueError, KeyError, TypeError):
            return Answer(contract.BAD_REQUEST)
        right = key is not None and told == {str(n): given for n, given in enumerate(key.answers.values(), 1)}
        if not right or "answers-wrong" in self.faults or key is None:
            return Answer(contract.UNAUTHORISED)
        if key.expired or "expired" in self.faults:
            return Answer(contract.EXPIRED)
        if "jwt-missing" in self.faults:
            return Answer(contract.OK, contract.JWT)
        now = int(time.time())
        life = SHORT_S if "jwt-short" in self.faults else JWT_LIFE_S
        made = jwt.encode({"alg": ALGORITHM}, {"sub": "parcel", "iat": now, "exp": now + life}, self._secret)
        if "jwt-json" in self.faults:
            return _json({"token": made})
        return Answer(contract.OK, contract.JWT, made.encode())

    def _counts(self, authorization: str) -> bool:
        """Tell whether a JWT is ours and not over."""
        try:
            claims = jwt.decode(authorization.removeprefix("Bearer "), self._secret, [ALGORITHM]).claims
            return authorization.startswith("Bearer ") and time.time() < claims["exp"]
        except (JoseError, ValueError, KeyError):
            return False

    def _list(self) -> Answer:
        if "list-page" in self.faults:
            return Answer(contract.OK, HTML, PAGE)
        items = [] if "list-empty" in self.faults else self._library.items
        return _json({"dataItem": [self._listed(one) for one in items]})

    def _listed(self, item: Offered) -> dict[str, Any]:
        name = "Somebody^Else" if "wrong-patient" in self.faults else item.patient_name
        told = {
            "id": item.id,
            "mimeType": self._media_type(item),
            "description": item.description,
            "studyInstanceUID": item.study_uid,
            "date": item.date,
            "modalities": ",".join(item.modalities),
            "patientsName": ",".join(name.split("^")[:2]) if "comma-names" in self.faults else name,
            "patientsBirthdate": item.birth_date,
            "patientsSex": item.sex,
            "fileCount": item.files + ("wrong-count" in self.faults) if item.objects else None,
        }
        return {name: value for name, value in told.items() if value not in ("", None)}

    def _media_type(self, item: Offered) -> str:
        return contract.PDF if "pdf-for-zip" in self.faults and item.objects else item.media_type

    def _download(self, file: Path, media_type: str) -> Answer:
        self._downloads += 1
        if self.faults & {"busy", "busy-bare"} and self._downloads <= 2:
            bare = "busy-bare" in self.faults
            return Answer(contract.BUSY) if bare else _json({"timeOutInSeconds": COME_BACK_S}, contract.BUSY)
        if "page-for-zip" in self.faults:
            return Answer(contract.OK, contract.ZIP, PAGE)
        if "other-file" in self.faults:
            return Answer(contract.OK, media_type, PROGRAM)
        manner: Manner = next((one for one in MANNERS if one in self.faults), "whole")
        if manner == "break-off" and self._downloads > 1:
            manner = "whole"
        given = spoiled(file, self.faults) if file.suffix == ".zip" else file
        headers = {"Content-Disposition": f'attachment; filename="{given.stem[:8]}{given.suffix}"'}
        if "no-ranges" not in self.faults:
            headers["ETag"] = (
                f'"{hashlib.sha256(f"{given.name} {given.stat().st_mtime_ns}".encode()).hexdigest()[:32]}"'
            )
        return Answer(contract.OK, media_type, file=given, headers=headers, manner=manner)

    def _api_info(self) -> dict[str, Any]:
        base = f"{self.address}{contract.BASE}"
        if "foreign-base" in self.faults:
            base = f"https://elsewhere.example{contract.BASE}"
        if "clear-base" in self.faults:
            base = f"http://{urlsplit(self.address).netloc}{contract.BASE}"
        if "placeholder-base" in self.faults:
            base = f"https://<server>{contract.BASE}/"
        return {"dlxVersion": "v1", "vendorInformation": "Radrelay, provider for tests", "apiBasePath": base}


def _json(told: object, status: int = contract.OK) -> Answer:
    return Answer(status, contract.JSON, json.dumps(told, ensure_ascii=False).encode())
