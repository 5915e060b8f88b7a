"""Through the whole path: no value of an identifying attribute of a study is in anything that leaves by a project."""

from __future__ import annotations

import io
import zipfile

from hypothesis import Phase, given, settings
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from radrelay.dicom.deidentify import Option
from radrelay.dicom.deidentify.profile_table import profile
from tests.dicom.deidentify.made import encoded
from tests.dicom.deidentify.test_nothing_left import bytes_of, sources
from tests.web.conftest import Login, WebSite
from tests.web.test_pseudonyms import project
from tests.web.test_studies import upload_bytes


def uploaded(site: WebSite, login: Login, data_set: Dataset, name: str) -> str:
    """Upload an object as a file that is named after the patient; returns its study."""
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = generate_uid(), generate_uid()
    data_set.SOPInstanceUID = generate_uid()
    encoded(data_set)
    out = io.BytesIO()
    data_set.save_as(out, enforce_file_format=True)
    before = {one["id"] for one in login.http.get("/api/studies").json()["studies"]}
    upload_bytes(site, login, {f"{name}.dcm": out.getvalue()})
    (made,) = {one["id"] for one in login.http.get("/api/studies").json()["studies"]} - before
    return str(made)


def everything_in(content: bytes) -> bytes:
    """Return what a ZIP holds, unpacked, with the names of its members and all its own bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [archive.read(name) + name.encode() for name in archive.namelist()]
        assert [name for name in archive.namelist() if name.startswith("DICOM/")]
    return b"\0".join((content, *parts))


def test_no_identifying_value_is_in_what_leaves(site: WebSite) -> None:
    anna, root = site.login("anna"), site.login("root")
    made = project(root, options=["clean-descriptors", "clean-structured", "safe-private"])
    chosen = frozenset(Option(one) for one in made["options"])

    @settings(max_examples=8, deadline=None, phases=[Phase.generate])
    @given(sources())
    def each(source: tuple[Dataset, dict[str, int], str]) -> None:
        data_set, tags, charset = source
        study = uploaded(site, anna, data_set, str(data_set.PatientID))
        answer = anna.http.get(f"/api/studies/{study}/archive.zip", params={"project": made["id"]})
        told = anna.http.get(f"/api/studies/{study}/handouts")
        listed = anna.http.get("/api/pseudonyms/aliases")
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        assert told.json()["handouts"][0]["objects"] == 1
        whole = b"\0".join((everything_in(answer.content), headers.encode(), told.content, listed.content))
        values = [value for value, tag in tags.items() if profile()[tag].action(chosen) != "K"]
        for value in (*values, str(data_set.StudyInstanceUID), str(data_set.SOPInstanceUID), "19540312"):
            for needle in bytes_of(value, charset):
                assert len(needle) < 4 or needle not in whole, (value, charset)

    each()
