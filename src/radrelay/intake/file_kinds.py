"""What a file is, by its first bytes; its name decides only among kinds that bytes cannot tell apart.

Kept are DICOM files, ZIP archives and a short list of attachments. All else is named, so that the
sender reads why a file was left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from radrelay.dicom.part10 import looks_like_dicom

PREFIX_BYTES = 4096


class Kind(Enum):
    """What is done with a file."""

    DICOM = "dicom"
    MAYBE_DICOM = "maybe-dicom"  # no preamble: the reader decides
    DIRECTORY = "dicomdir"
    ARCHIVE = "archive"
    ATTACHMENT = "attachment"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class FileKind:
    """A file's kind, its media type, and for a skipped one the finding's code and text."""

    kind: Kind
    media_type: str
    code: str = ""
    text: str = ""


DICOM = FileKind(Kind.DICOM, "application/dicom")
MAYBE_DICOM = FileKind(Kind.MAYBE_DICOM, "application/dicom")
DIRECTORY = FileKind(
    Kind.DIRECTORY,
    "application/dicom",
    "disc-directory",
    "A disc's directory (DICOMDIR) is a hint only: what is kept is told from the files themselves.",
)
ARCHIVE = FileKind(Kind.ARCHIVE, "application/zip")
EMPTY = FileKind(Kind.SKIPPED, "", "empty", "The file is empty.")
PROGRAM = FileKind(Kind.SKIPPED, "application/octet-stream", "program", "A program (viewer or autorun) is never kept.")
SYSTEM_FILE = FileKind(
    Kind.SKIPPED,
    "application/octet-stream",
    "system-file",
    "A file of the sender's operating system, not of the study.",
)
WEB_PAGE = FileKind(
    Kind.SKIPPED, "text/html", "web-page", "A web page, script or style sheet (of a disc's viewer) is not kept."
)
NOT_DICOM = FileKind(
    Kind.SKIPPED, "application/octet-stream", "not-dicom", "Named like a DICOM file, but its bytes are not DICOM."
)
UNKNOWN = FileKind(
    Kind.SKIPPED,
    "application/octet-stream",
    "unknown-kind",
    "Neither DICOM nor a kind of file that is kept as an attachment.",
)

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
)
_PROGRAMS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
_PROGRAM_SUFFIXES = frozenset(
    [
        ".exe",
        ".dll",
        ".com",
        ".bat",
        ".cmd",
        ".msi",
        ".scr",
        ".ps1",
        ".vbs",
        ".jar",
        ".class",
        ".app",
        ".so",
        ".dylib",
        ".ocx",
        ".sys",
        ".lnk",
        ".inf",
        ".apk",
        ".sh",
        ".cab",
    ]
)
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", ".ds_store", "desktop.ini", "ehthumbs.db", ".dropbox", "system volume information"}
)
_PAGE_SUFFIXES = frozenset([".htm", ".html", ".xhtml", ".js", ".css", ".svg", ".hta", ".mht", ".xsl", ".xslt"])
_TEXT_SUFFIXES = frozenset([".txt", ".text", ".md", ".csv", ".log", ".asc"])
_DICOM_SUFFIXES = frozenset([".dcm", ".dicom", ".ima", ".dic", ".acr"])
_OTHER_ARCHIVES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (257, b"ustar", "tar"),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
_MP4_BRANDS = frozenset(
    {
        b"isom",
        b"iso2",
        b"iso4",
        b"iso5",
        b"iso6",
        b"mp41",
        b"mp42",
        b"avc1",
        b"M4V ",
        b"M4VP",
        b"MSNV",
        b"dash",
        b"3gp4",
        b"3gp5",
        b"qt  ",
    }
)
_OFFICE_FIRST = (b"[Content_Types].xml", b"_rels/.rels", b"word/", b"docProps/", b"customXml/")


def sniff(name: str, prefix: bytes) -> FileKind:  # noqa: PLR0911 — one return for each kind reads best
    """Tell what the file `name` is from its first `PREFIX_BYTES` bytes (fewer: the whole file)."""
    if not prefix:
        return EMPTY
    path = PurePosixPath(name.replace("\\", "/"))
    leaf, suffix = path.name.lower(), path.suffix.lower()
    if prefix[128:132] == b"DICM":
        return DIRECTORY if leaf == "dicomdir" else DICOM
    if _is_system_file(path, leaf):
        return SYSTEM_FILE
    if prefix[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return _zip_kind(suffix, prefix)
    media_type = _media_type(prefix)
    if media_type:
        return FileKind(Kind.ATTACHMENT, media_type)
    if suffix in _PROGRAM_SUFFIXES or prefix.startswith(_PROGRAMS):
        return PROGRAM
    for offset, magic, label in _OTHER_ARCHIVES:
        if prefix.startswith(magic, offset):
            text = f"A {label} archive is not opened here; unpack it, or send its content as a ZIP."
            return FileKind(Kind.SKIPPED, "application/octet-stream", "other-archive", text)
    if looks_like_dicom(prefix):
        return DIRECTORY if leaf == "dicomdir" else MAYBE_DICOM
    return _text_kind(suffix, prefix)


def is_pdf(prefix: bytes) -> bool:
    """Say whether a PDF begins within the first KiB, as readers take it: after a line break, a mark, a printer's words.

    Pages and data that only quote one begin otherwise. A DICOM object that encapsulates one has to be told before.
    """
    before, found, _ = prefix[:1024].partition(b"%PDF-")
    return bool(found) and not before.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{", b"["))


def _is_system_file(path: PurePosixPath, leaf: str) -> bool:
    return leaf in _SYSTEM_NAMES or leaf.startswith("._") or "__MACOSX" in path.parts


def _zip_kind(suffix: str, prefix: bytes) -> FileKind:
    """Part a ZIP to be opened from the documents and programs that are ZIPs inside."""
    first = prefix[30 : 30 + int.from_bytes(prefix[26:28], "little")]
    if suffix in {".jar", ".apk", ".war"} or first.startswith(b"META-INF/"):
        return PROGRAM
    if first.startswith(_OFFICE_FIRST) or suffix == ".docx":
        if suffix in {".docx", ""} or b"word/" in prefix:
            return FileKind(Kind.ATTACHMENT, _DOCX)
        return UNKNOWN
    if first == b"mimetype":
        return UNKNOWN
    return ARCHIVE


def _media_type(prefix: bytes) -> str:
    for magic, media_type in _MAGIC:
        if prefix.startswith(magic):
            return media_type
    if (
        prefix[:2] == b"BM"
        and len(prefix) >= 26
        and int.from_bytes(prefix[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)
    ):
        return "image/bmp"
    if prefix[4:8] == b"ftyp":
        if prefix[8:12] in _HEIC_BRANDS:
            return "image/heic"
        if prefix[8:12] in _MP4_BRANDS:
            return "video/mp4"
    return ""


def _text_kind(suffix: str, prefix: bytes) -> FileKind:  # noqa: PLR0911 — as above
    """Keep plain text; a page or script, which a browser would run, is not one."""
    start = prefix.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    if suffix in _PAGE_SUFFIXES or start.startswith(
        (b"<!doctype", b"<html", b"<script", b"<?xml", b"<svg", b"<head", b"<body")
    ):
        return WEB_PAGE
    if is_pdf(prefix) and suffix not in _TEXT_SUFFIXES:
        return FileKind(Kind.ATTACHMENT, "application/pdf")
    if suffix in _DICOM_SUFFIXES:
        return NOT_DICOM
    if suffix in _TEXT_SUFFIXES and prefix.startswith((b"\xff\xfe", b"\xfe\xff")):
        return FileKind(Kind.ATTACHMENT, "text/plain")
    if b"\x00" in prefix or sum(byte < 9 or 13 < byte < 32 for byte in prefix[:1024]) > 0:
        return UNKNOWN
    if suffix in _TEXT_SUFFIXES:
        return FileKind(Kind.ATTACHMENT, "text/plain")
    try:
        prefix[: len(prefix) - 4 if len(prefix) == PREFIX_BYTES else None].decode("utf-8")
    except UnicodeDecodeError:
        return UNKNOWN
    return FileKind(Kind.ATTACHMENT, "text/plain") if suffix == "" else UNKNOWN
