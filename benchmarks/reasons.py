"""Why an aim is not reached, said under the table for the rows that fall short; by how much stands in the row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.table import Line


@dataclass(frozen=True)
class Reason:
    """Of the rows of a part whose name has `pattern` in it."""

    part: str
    pattern: str
    words: str


REASONS = (
    Reason(
        "receive",
        r"^CT .* sender that does not stall",
        "On two cores a CT slice takes 1.5–2.2 ms of processor time in `listen` (digest, encryption, the page cache), "
        "0.5 in `work` and 0.6–1.1 in the sender: they fill both. `storescp` does none of this and never waits "
        "for the disk. Orthanc, which waits for its syncs one by one, gains by having four associations. Runs on this "
        "machine lay between 2.1 and 3.7 × Orthanc, and between 0.5 and 1.4 × `storescp`, by how much memory the page "
        "cache had to find anew.",
    ),
    Reason(
        "receive",
        r"^MR .* sender that does not stall",
        "On two cores an object of 34 kB takes 0.3–0.4 ms of processor time in `listen`, 0.2–0.3 in `work` and 0.2–0.4 "
        "in the sender: over four associations they fill both, while Orthanc gains by having four.",
    ),
    Reason(
        "receive",
        r"storescu$",
        "`storescu` has its share of the two cores (0.6–0.8 ms of processor time for a CT slice, 0.3–0.4 for a small "
        "MR object); into a receiver that keeps nothing it sends about 2,000 CT slices a second, so that the ratio is "
        "that of both together.",
    ),
    Reason(
        "web",
        r"^packed: .*(samples|transfer-syntax=\*)",
        "Packed studies are kept as lossless HTJ2K, which takes a quarter to a half of the disk. Who asks for samples, "
        "or for the objects as they were received, waits for its decoding, 1.4 ms a slice of 512²; Orthanc keeps them "
        "as they came. What is asked for as it is kept (the viewer's way, and the rows with HTJ2K) is not decoded.",
    ),
    Reason(
        "web",
        r"^landed: 1000 slices",
        "Both hand out what lies in the page cache; Radrelay decrypts it on the way. Runs on this machine lay between "
        "0.90 and 1.05 × Orthanc.",
    ),
    Reason(
        "query",
        r"C-FIND, 20,000",
        "A query by a name's beginning has some 900 matches here, each a response of its own, 60 µs of processor time.",
    ),
    Reason(
        "people",
        r"^50 people",
        "Fifty readers with some 180 frames a second, the modality and the readers' own program share two cores, and "
        "one process answers, of which Python runs one thread at a time.",
    ),
    Reason(
        "login",
        r"at once$",
        "Stretching the password takes such a processor 0.7 s, and nothing of it can be begun before the last key. "
        "Whoever reaches for the button has it done by then. Fewer rounds would be quicker for whoever tries out "
        "passwords, too.",
    ),
    Reason(
        "audit",
        r"unrecorded, ratio",
        "What recording adds by itself is the row before, some 0.2 % of a frame; the few rounds of two servers on two "
        "cores do not tell so little.",
    ),
    Reason(
        "viewer",
        r"(first|coarse) picture",
        "The link is shaped inside the browser, which draws in software beside the server on the same two cores.",
    ),
    Reason(
        "viewer",
        r"as a volume",
        "WebGL is drawn by the processor, beside the page and the server on the same two cores; while something moves, "
        "a picture is made as coarse as it has to be, but the page's own work for each of them stays.",
    ),
    Reason(
        "viewer",
        r"a key held",
        "The browser composes the page in software on the same two cores that decode, paint and serve: a frame of "
        "1,440 × 900 on the screen costs more than a picture of 512².",
    ),
    Reason(
        "move",
        r"C-MOVE, in",
        "The archive that sends, the listener that receives and indexes, and the asker share two cores. A fetch is "
        "durable work, handed over every half second, and asks for the archive's list of objects first; Orthanc does "
        "neither. Where the time goes was not measured yet.",
    ),
    Reason(
        "viewer",
        r"memory|minutes of scrolling",
        "What a page's process holds is more than its frames: their budget is kept, and the decoders' own heaps, the "
        "canvases and what the collector has not given back yet come on top.",
    ),
)


def explained(lines: Sequence[Line]) -> list[str]:
    """Return a list of the rows that fall short and why; nothing where all aims are reached."""
    short = [one for one in lines if one.met is False]
    found: dict[str, list[str]] = {}
    for one in short:
        reasons = [r.words for r in REASONS if r.part == one.part and re.search(r.pattern, one.what)]
        found.setdefault(reasons[0] if reasons else "Not explained yet.", []).append(one.what)
    text = ["## What falls short, and why", ""] if found else []
    for words, rows in found.items():
        text += [*(f"- {row}" for row in rows), "", words, ""]
    return text
