"""Programs that others wrote, over HTTP: dicomweb-client."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator

import numpy as np
import pydicom
import pytest
import uvicorn
from dicomweb_client import DICOMwebClient
from PIL import Image

from tests.archive.house import slices, wheel_file
from tests.web.conftest import WebSite
from tests.web.dicomweb.conftest import Dicomweb


@pytest.fixture
def served(site: WebSite) -> Iterator[str]:
    """The site on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(site.app, "127.0.0.1", 0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/dicom-web"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def program(site: WebSite, served: str) -> DICOMwebClient:
    return DICOMwebClient(served, headers={"Authorization": f"Bearer {site.token('user')}"})


@pytest.mark.filterwarnings("default")
def test_dicomweb_client_stores_searches_retrieves_and_deletes(program: DICOMwebClient, dicomweb: Dicomweb) -> None:
    sent = [pydicom.dcmread(io.BytesIO(file)) for file in slices(3)]
    answer = program.store_instances(sent)
    assert len(answer.ReferencedSOPSequence) == 3
    dicomweb.site.index()
    dicomweb.compact()
    (study,) = program.search_for_studies(search_filters={"PatientID": "1CT1"}, fields=["StudyDescription"])
    assert study["0020000D"]["Value"] == ["1.2.9"]
    assert len(program.search_for_series("1.2.9")) == 1
    assert len(program.search_for_instances("1.2.9", "1.2.9.1", limit=2)) == 2
    got = program.retrieve_series("1.2.9", "1.2.9.1")
    assert [one.PixelData for one in got] == [one.PixelData for one in sent]
    assert len(program.retrieve_study("1.2.9")) == 3
    metadata = program.retrieve_series_metadata("1.2.9", "1.2.9.1")
    pixels = program.retrieve_bulkdata(metadata[0]["7FE00010"]["BulkDataURI"])
    assert b"".join(pixels) == sent[0].PixelData
    place = ("1.2.9", "1.2.9.1", "1.2.9.1.2")
    assert program.retrieve_instance(*place).SOPInstanceUID == "1.2.9.1.2"
    (frame,) = program.retrieve_instance_frames(*place, frame_numbers=[1])
    assert frame == sent[1].PixelData
    picture = program.retrieve_instance_rendered(*place, media_types=("image/png",))
    assert Image.open(io.BytesIO(picture)).size == (128, 128)
    program.retrieve_instance_frames_rendered(*place, frame_numbers=[1], media_types=("image/jpeg",))
    program.delete_instance(*place)
    assert len(program.search_for_instances("1.2.9")) == 2
    program.delete_study("1.2.9")
    assert program.search_for_studies() == []


@pytest.mark.filterwarnings("default")
def test_dicomweb_client_gets_compressed_frames(program: DICOMwebClient, dicomweb: Dicomweb) -> None:
    dicomweb.store_named("MR_small_jp2klossless.dcm")
    data = pydicom.dcmread(io.BytesIO(wheel_file("MR_small_jp2klossless.dcm")))
    place = (data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    syntax = "1.2.840.10008.1.2.4.90"
    (frame,) = program.retrieve_instance_frames(*place, frame_numbers=[1], media_types=(("image/jp2", syntax),))
    assert frame[:4] == b"\xff\x4f\xff\x51"
    (plain,) = program.retrieve_instance_frames(*place, frame_numbers=[1])
    assert np.array_equal(np.frombuffer(plain, "<i2").reshape(64, 64), data.pixel_array)
    whole = program.retrieve_instance(*place, media_types=(("application/dicom", syntax),))
    assert whole.file_meta.TransferSyntaxUID == syntax
