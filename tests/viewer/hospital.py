"""The installation that the viewer's tests look into: an account, studies sent by STOW-RS or `radrelay import`."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from playwright.sync_api import StorageState
from pydicom import Dataset, dcmread

from tests.proving import log_in
from tests.system.installation import Installation, until

USER, PASSWORD = "leserin", "Leuchtkasten-17-Tischlampe"
INSTANCE_UID, STUDY_UID = "SOPInstanceUID", "StudyInstanceUID"


@dataclass
class Sent:
    """A study in the list; `series` as the viewer asks for them."""

    id: str
    study_uid: str
    series: list[dict[str, Any]]

    def view(self, series: int | str = 0) -> str:
        """Return the viewer's address of a series: its place in the study, or its UID."""
        return f"/view?study={self.id}&series={self.series_id(series)}"

    def series_id(self, series: int | str) -> str:
        """Return the id of a series: its place in the study, or its UID."""
        places = {str(one["series_uid"]): str(one["id"]) for one in self.series}
        return str(self.series[series]["id"]) if isinstance(series, int) else places[series]


@dataclass
class Hospital:
    """A running installation with an account."""

    installation: Installation
    _states: dict[str, StorageState] = field(default_factory=dict)

    @classmethod
    def opened(cls, installation: Installation) -> Hospital:
        """Add the account to an installation that runs."""
        hospital = cls(installation)
        hospital.add(USER)
        return hospital

    def add(self, username: str) -> None:
        """Add an account: what a scenario keeps for its reader is not to meet the next one's."""
        self.installation.command(
            "user", "add", username, "--role", "admin", "--full-name", username.title(), "--password-stdin",
            stdin=PASSWORD + "\n",
        )  # fmt: skip

    @property
    def base(self) -> str:
        return self.installation.base

    def login(self, username: str = USER) -> StorageState:
        """Return the cookies of a login that all pages share; who logs out asks for a page without one."""
        if username not in self._states:
            with self.installation.http() as http:
                http.headers.pop("Authorization")
                answer = log_in(http, username, PASSWORD)
                assert answer.is_success, answer.text
                self._states[username] = {
                    "cookies": [
                        {"name": one.name, "value": one.value or "", "domain": "127.0.0.1", "path": "/",
                         "expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
                        for one in http.cookies.jar
                    ],
                    "origins": [],
                }  # fmt: skip
        return self._states[username]

    def send(self, objects: Iterable[bytes | Path | Dataset]) -> list[Sent]:
        """Send objects by STOW-RS, wait until the list has them all, and return their studies in order."""
        files = [content_of(one) for one in objects]
        edge = secrets.token_hex(8)
        body = b"".join(
            b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (edge.encode(), content) for content in files
        )
        with self.installation.http() as http:
            kind = f'multipart/related; type="application/dicom"; boundary={edge}'
            answer = http.post(
                "/dicom-web/studies", content=body + f"--{edge}--\r\n".encode(), headers={"Content-Type": kind}
            )
        refused = answer.json().get("00081198", {}).get("Value", []) if answer.status_code in (202, 409) else []
        assert answer.status_code == 200, f"{answer.status_code}: {refused or answer.text[:2000]}"
        return self._arrived(files)

    def import_(self, path: Path, studies: Iterable[bytes]) -> list[Sent]:
        """Take in a file, folder, disc or ZIP by `radrelay import`; `studies` are the objects that must be there."""
        self.installation.command("import", str(path))
        return self._arrived(list(studies))

    def study(self, study_uid: str) -> Sent:
        """Return a study that is in the list, as it is now."""
        row = self.installation.study(study_uid)
        assert row is not None
        series = self.installation.get(f"/api/studies/{row['id']}")["series"]
        return Sent(row["id"], study_uid, series)

    def packed(self, sent: Sent, series: int | str = -1) -> None:
        """Wait until a study is compacted: frames of `series`, uncompressed grey, are kept, and come, as HTJ2K then."""
        last = self.instances(sent.series_id(series))[-1]["id"]

        def coded() -> bool:
            with self.installation.http() as http:
                answer = http.get(f"/api/instances/{last}/frames/1/stream")
            return answer.status_code == 200 and '"htj2k"' in answer.headers["X-Radrelay-Frame"]

        until(coded, f"the study {sent.study_uid} to be packed")

    def instances(self, series_id: str) -> list[dict[str, Any]]:
        """Return a series' instances in display order."""
        found: list[dict[str, Any]] = self.installation.get(f"/api/series/{series_id}")["instances"]
        return found

    def _arrived(self, files: list[bytes]) -> list[Sent]:
        """Wait until the objects are in the list, beside what other tests have sent of the same studies."""
        wanted: dict[str, set[str]] = {}
        for study, sop in map(_uids, files):
            wanted.setdefault(study, set()).add(sop)
        for study, sops in wanted.items():
            until(partial(self._holds, study, sops), f"{len(sops)} instances of study {study}")
        return [self.study(study) for study in wanted]

    def _holds(self, study_uid: str, sops: set[str]) -> bool:
        row = self.installation.study(study_uid)
        if row is None or row["instance_count"] < len(sops):
            return False
        if row["instance_count"] == len(sops):
            return True
        with self.installation.http() as http:
            answer = http.get(f"/dicom-web/studies/{study_uid}/instances", params={"limit": 5000})
        return answer.status_code == 200 and sops <= {one["00080018"]["Value"][0] for one in answer.json()}


def content_of(given: bytes | Path | Dataset) -> bytes:
    """Return an object as a DICOM file."""
    if isinstance(given, Dataset):
        stream = BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns: some values are wrong on purpose
            given.save_as(stream, enforce_file_format=True)
        return stream.getvalue()
    return given.read_bytes() if isinstance(given, Path) else given


def _uids(content: bytes) -> tuple[str, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = dcmread(BytesIO(content), specific_tags=[INSTANCE_UID, STUDY_UID], force=True)
    return str(found.StudyInstanceUID), str(found.SOPInstanceUID)
