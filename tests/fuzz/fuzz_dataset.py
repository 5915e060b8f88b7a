"""Fuzz target of the data-set parsers: `python tests/fuzz/fuzz_dataset.py [-max_total_time=60] [corpus]`.

Needs atheris. Every input is taken as a file and as a data set in each encoding; anything but an answer or
`Malformed` is a finding.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.index import index_attributes
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from radrelay.dicom.walk import survey


def take(data: bytes) -> None:
    """Give one input to every parser."""
    inputs = [(data, uid) for uid in (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE)]
    with suppress(Malformed):
        head = parse_preamble(data)
        inputs.append((data[head.dataset_offset :], head.transfer_syntax_uid))
    for dataset, uid in inputs:
        with suppress(Malformed):
            survey(dataset, len(dataset), uid, sop_class_uid="1.2", sop_uid="1.2.3")
        try:
            header = parse(dataset, uid)
        except Malformed:
            continue
        index_attributes(header, uid)
        header.to_json(str)


def main() -> None:
    """Fuzz until stopped."""
    import atheris  # noqa: PLC0415 - a fuzzer's part, which the other users of this module need not have

    atheris.instrument_all()
    atheris.Setup(sys.argv, take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
