"""The transfer syntaxes of PS3.5 Annex A that matter to pixels, as one table.

In: a transfer syntax UID. Out: how its data set is encoded (VR, byte order, deflate) and which codec its
pixel data uses. Private and unknown syntaxes are taken as explicit little endian, encapsulated, unknown codec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Codec = Literal[
    "native",
    "rle",
    "jpeg",
    "jpeg-lossless",
    "jpeg-ls",
    "j2k",
    "htj2k",
    "deflate",
    "video",
    "jpip",
    "jpeg-xl",
    "unknown",
]

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS = "1.2.840.10008.1.2.4.90"
J2K = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
H264_HIGH_41 = "1.2.840.10008.1.2.4.102"
H264_HIGH_42_2D = "1.2.840.10008.1.2.4.104"


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a data set in one transfer syntax is written."""

    uid: str
    name: str
    codec: Codec
    explicit: bool = True
    little_endian: bool = True
    deflated: bool = False
    lossless: bool = True

    @property
    def encapsulated(self) -> bool:
        """Return whether pixel data stands in fragments (PS3.5 A.4)."""
        return self.codec != "native"


_TABLE = {
    syntax.uid: syntax
    for syntax in (
        Syntax(IMPLICIT_LE, "Implicit VR Little Endian", "native", explicit=False),
        Syntax(EXPLICIT_LE, "Explicit VR Little Endian", "native"),
        Syntax(DEFLATED_LE, "Deflated Explicit VR Little Endian", "native", deflated=True),
        Syntax(EXPLICIT_BE, "Explicit VR Big Endian", "native", little_endian=False),
        Syntax(DEFLATED_FRAMES, "Deflated Image Frame Compression", "deflate"),
        Syntax(JPEG_BASELINE, "JPEG Baseline", "jpeg", lossless=False),
        Syntax(JPEG_EXTENDED, "JPEG Extended", "jpeg", lossless=False),
        Syntax(JPEG_LOSSLESS, "JPEG Lossless (Process 14)", "jpeg-lossless"),
        Syntax(JPEG_LOSSLESS_SV1, "JPEG Lossless (Process 14, Selection Value 1)", "jpeg-lossless"),
        Syntax(JPEG_LS_LOSSLESS, "JPEG-LS Lossless", "jpeg-ls"),
        Syntax(JPEG_LS_NEAR, "JPEG-LS Near-Lossless", "jpeg-ls", lossless=False),
        Syntax(J2K_LOSSLESS, "JPEG 2000 (Lossless Only)", "j2k"),
        Syntax(J2K, "JPEG 2000", "j2k", lossless=False),
        Syntax("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 (Lossless Only)", "j2k"),
        Syntax("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2", "j2k", lossless=False),
        Syntax("1.2.840.10008.1.2.4.94", "JPIP Referenced", "jpip", lossless=False),
        Syntax("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", "jpip", deflated=True, lossless=False),
        Syntax("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", "jpeg-xl"),
        Syntax("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", "jpeg-xl", lossless=False),
        Syntax("1.2.840.10008.1.2.4.112", "JPEG XL", "jpeg-xl", lossless=False),
        Syntax(HTJ2K_LOSSLESS, "High-Throughput JPEG 2000 (Lossless Only)", "htj2k"),
        Syntax(HTJ2K_LOSSLESS_RPCL, "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)", "htj2k"),
        Syntax(HTJ2K, "High-Throughput JPEG 2000", "htj2k", lossless=False),
        Syntax("1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced", "jpip", lossless=False),
        Syntax("1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", "jpip", deflated=True, lossless=False),
        Syntax(RLE_LOSSLESS, "RLE Lossless", "rle"),
        *(
            Syntax(f"1.2.840.10008.1.2.4.{number}", name, "video", lossless=False)
            for number, name in (
                ("100", "MPEG2 Main Profile / Main Level"),
                ("100.1", "Fragmentable MPEG2 Main Profile / Main Level"),
                ("101", "MPEG2 Main Profile / High Level"),
                ("101.1", "Fragmentable MPEG2 Main Profile / High Level"),
                ("102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
                ("102.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1"),
                ("103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
                ("103.1", "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
                ("104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
                ("104.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
                ("105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
                ("105.1", "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
                ("106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
                ("106.1", "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
                ("107", "HEVC/H.265 Main Profile / Level 5.1"),
                ("108", "HEVC/H.265 Main 10 Profile / Level 5.1"),
            )
        ),
    )
}

VIDEOS = frozenset(uid for uid, syntax in _TABLE.items() if syntax.codec == "video")


def syntax_of(uid: str) -> Syntax:
    """Return what is known of a transfer syntax UID; unknown ones count as explicit LE with an unknown codec."""
    cleaned = uid.rstrip("\0 ")
    return _TABLE.get(cleaned) or Syntax(cleaned, f"transfer syntax {cleaned}", "unknown", lossless=False)
