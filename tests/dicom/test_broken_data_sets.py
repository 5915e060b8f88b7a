"""Files that were made to break readers: each is read or refused in words, in bounded time and memory."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import pytest

from radrelay.dicom.errors import Malformed
from radrelay.dicom.fileset import FileSet
from radrelay.dicom.header import Header, parse
from radrelay.dicom.index import index_attributes
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.walk import survey

pytestmark = pytest.mark.shared


def take(data: bytes) -> Header:
    """Do all that intake does with a file."""
    head = parse_preamble(data)
    rest = data[head.dataset_offset :]
    found = survey(rest, len(rest), head.transfer_syntax_uid, sop_class_uid=head.sop_class_uid, sop_uid=head.sop_uid)
    header = parse(rest[: found.head_length], head.transfer_syntax_uid)
    attributes = index_attributes(
        header, head.transfer_syntax_uid, sop_class_uid=head.sop_class_uid, sop_uid=head.sop_uid
    )
    assert (attributes.sop_uid, attributes.study_uid) == (found.sop_uid, found.study_uid)
    json.dumps(header.to_json(str), allow_nan=False).encode("utf-8")
    json.dumps(parse(rest, head.transfer_syntax_uid).to_json(str), allow_nan=False).encode("utf-8")
    file_set = FileSet()
    file_set.add(header, head.transfer_syntax_uid, sop_class_uid=found.sop_class_uid, sop_uid=found.sop_uid)
    file_set.dicomdir()
    return header


def test_every_broken_file_is_read_or_refused(shared_data: Path) -> None:
    read = 0
    messages: list[str] = []
    heavy: list[Path] = []
    for path in sorted((shared_data / "broken").rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        tracemalloc.start()
        start = time.thread_time()
        try:
            header = take(data)
        except Malformed as broken:
            messages.append(broken.message)
        else:
            assert all(len(problem) < 300 for problem in header.problems), path
            read += 1
        elapsed_s, (_, peak) = time.thread_time() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert elapsed_s < 5, (path, elapsed_s)
        heavy += [path] if peak > 16 * len(data) + (8 << 20) else []
    assert len(heavy) <= 1, heavy  # another thread of this process may have been measured with one of them
    assert read > 100
    assert len(messages) > 100
    assert all(len(message) > 10 and message.isprintable() for message in messages)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truncated-50pct.dcm", "(7FE0,0010)"),
        ("truncated-1pct.dcm", "beyond the data set's end"),
        ("empty.dcm", "empty"),
        ("html-as.dcm", "no DICOM file"),
        ("empty-study-uid.dcm", "StudyInstanceUID (0020,000D) is missing or empty"),
        ("uid-path-traversal.dcm", "SOPInstanceUID (0008,0018) is not a UID"),
        ("only-preamble.dcm", "ends before its data set"),
    ],
)
def test_refusal_names_the_trouble(shared_data: Path, name: str, words: str) -> None:
    with pytest.raises(Malformed) as caught:
        take((shared_data / "broken" / "made" / name).read_bytes())
    assert words in caught.value.message


def test_deflate_bomb_is_read_without_being_inflated(shared_data: Path) -> None:
    data = (shared_data / "broken" / "made" / "deflate-bomb-200MiB.dcm").read_bytes()
    tracemalloc.start()
    header = take(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert header.text(0x0020000D)
    assert peak < 16 << 20
