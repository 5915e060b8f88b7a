"""The DICOM conformance statement (PS3.2), written from the tables that the code itself works by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radrelay import __version__
from radrelay.archive.matching import MATCHED
from radrelay.dicom.deidentify.options import BASIC, CODES, FACES
from radrelay.dicom.deidentify.profile_table import EDITION
from radrelay.dicom.dictionary import keyword_of
from radrelay.dicom.syntaxes import syntax_of
from radrelay.errors import RadrelayError
from radrelay.hl7.worklist import Item, known_attributes
from radrelay.intake import errors as intake_errors
from radrelay.network.conformance import tables
from radrelay.routing.transcoding import TARGETS
from radrelay.web.dicomweb.negotiation import FRAME_MEDIA
from radrelay.web.dicomweb.qido import DEFAULTS

INTRODUCTION = """# DICOM conformance statement

Radrelay {version}. This page is written from the program's own tables by `scripts/conformance`; a test keeps it true.

Radrelay takes objects in by C-STORE and STOW-RS, answers C-FIND, C-MOVE, C-GET, storage commitment, QIDO-RS and
WADO-RS, sends objects by C-STORE, and fetches them by C-MOVE and C-GET. It takes every storage SOP class, private ones
included, and every transfer syntax, and gives objects back byte for byte as received wherever the other side accepts
their transfer syntax.
"""

STORE_CASES = (
    ("0000", "The object is durable and encrypted. What disagrees with what is here is kept in the quarantine."),
    ("A700", "No room: below storage.min_free_bytes, above the source's quota, or larger than dicom.max_object_bytes."),
    ("A900", "The data set's SOP class or instance UID is not the one that the command announced."),
    ("C000", "The data set's structure cannot be followed, it is cut off, or lacks a UID; the comment says where."),
    ("0110", "Radrelay's own failure; nothing was kept."),
)

WORKLIST = """Steps that HL7 orders schedule, told to AE titles that were granted the worklist. Each attribute here is
matched and returned, sequences by their items; dates and times by range, text with wildcards, names without regard
to case and marks. What is asked for beside these is returned empty. Answers are in ISO_IR 192 where text is not ASCII.
"""

AFTER_STORE = (
    ("same instance, same bytes", "acknowledged, kept once; its holding is refreshed"),
    ("same instance, other bytes", "by the source's policy: quarantine (default), supersede, keep both"),
    ("another patient than its study's", "quarantine `patient-mismatch`"),
    ("a series UID that another study has", "quarantine `series-elsewhere`"),
    ("a UID missing, or none", "quarantine `no-identity`; a person may release it with a new identity"),
    ("a head that cannot be read", "quarantine `malformed` or `not-read`"),
    ("a file that is cut off behind its pixel data", "quarantine `cut-off`; a person may release it as it is"),
    ("infected, when a scanner is set", "quarantine `infected`"),
)


DEIDENTIFIED = (
    ("Profile", f"{BASIC[1]} (PS3.15 E.2, Table E.1-1 of {EDITION}), code {BASIC[0]}"),
    *(("Option", f"{meaning}, code {value}") for value, meaning in CODES.values()),
    ("Option", f"{FACES[1]}, code {FACES[0]}: head CT and MR, where it is sure"),
    ("Marked by", "(0012,0062) YES, (0012,0063), (0012,0064), (0028,0302), (0028,0303)"),
    ("Not de-identified", "what Radrelay keeps back until a person has looked at it: docs/pseudonyms.md"),
    (
        "Results under an alias",
        "coerced to the patient's attributes and original UIDs, noted in (0400,0561)",
    ),
)
MEDIA = (
    ("Role", "File-set Creator"),
    ("File-set", "IHE PDI (RAD TF-3 4.47): DICOMDIR at the root, objects under DICOM, README.TXT, INDEX.HTM"),
    ("Written as", "a ZIP: what people save, what links hand out; a folder: destinations of that kind"),
    ("Transfer syntaxes", "as received"),
    ("By links, for programs", "with IHE XDM besides: IHE_XDM/SUBSET01/METADATA.XML, Metadata-Limited; reports as PDF"),
)
FOR_PROGRAMS = (
    ("DICOM Link Exchange (DIN/TS 19455)", "provider and importer", "`/dlx/v1`: docs/sharing.md, docs/importer.md"),
    ("SMART Health Links 1.0.0", "Resource Server and receiver", "`/shl`: docs/sharing.md, docs/importer.md"),
    ("FHIR R4 ImagingStudy, Endpoint", "in the file of a health link", "leads to WADO-RS under `/dicom-web`"),
)


def statement() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield INTRODUCTION.format(version=__version__)
    yield "# Network services\n"
    for table in tables():
        yield f"## {table.title}\n"
        if table.text:
            yield f"{table.text}\n"
        yield from _table(table.columns, table.rows)
    yield "## De-identification\n"
    yield "Of copies that are handed out by a project of pseudonyms, and of what sources pseudonymise.\n"
    yield from _table(("Item", "Value"), DEIDENTIFIED)
    yield "## What a C-STORE is answered with\n"
    yield from _table(("Status", "When"), STORE_CASES)
    yield "## What becomes of an acknowledged object\n"
    yield from _table(("Object", "Outcome"), AFTER_STORE)
    yield "## Errors of receiving\n"
    yield from _table(("Code", "DIMSE status", "HTTP status", "Meaning"), tuple(_intake_errors()))
    yield "## Attributes that are matched\n"
    yield "Others are returned as far as they are known. Names match without regard to case and marks.\n"
    yield from _table(("Attribute", "Tag"), tuple((keyword_of(tag), _tag(tag)) for tag in sorted(MATCHED)))
    yield "## Modality worklist\n"
    yield WORKLIST
    yield from _table(("Attribute", "Tag", "VR"), tuple(_worklist(known_attributes())))
    yield "## Transcoding when sending\n"
    yield "As received where the other side accepts that; else the first of these that it accepts, all lossless:\n"
    yield from _table(("Transfer syntax", "UID"), tuple((syntax_of(uid).name, uid) for uid in TARGETS))
    yield "# Media\n"
    yield from _table(("Item", "Value"), MEDIA)
    yield "# Links for programs\n"
    yield from _table(("Standard", "Role", "Where"), FOR_PROGRAMS)
    yield "# DICOMweb\n"
    yield "Under `/dicom-web`: QIDO-RS, WADO-RS, STOW-RS and delete (PS3.18 10.4 to 10.6).\n"
    yield "## Media types of frames\n"
    yield "Uncompressed frames are `application/octet-stream`, Explicit VR Little Endian.\n"
    yield from _table(
        ("Transfer syntax", "UID", "Media type"),
        tuple((syntax_of(uid).name, uid, media) for uid, media in FRAME_MEDIA.items()),
    )
    yield "## Attributes of search answers\n"
    for level, tags in DEFAULTS.items():
        yield f"### {level.capitalize()}\n"
        yield from _table(("Attribute", "Tag"), tuple((keyword_of(int(t, 16)), _tag(int(t, 16))) for t in tags))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def _worklist(item: Item, above: str = "") -> Iterator[tuple[str, str, str]]:
    for tag, (vr, value) in sorted(item.items()):
        yield f"{above}{keyword_of(tag)}", _tag(tag), vr
        for inner in value if not isinstance(value, str) else ():
            yield from _worklist(inner, f"{above}{keyword_of(tag)} > ")


def _intake_errors() -> Iterator[tuple[str, str, str, str]]:
    for name in sorted(vars(intake_errors)):
        found = getattr(intake_errors, name)
        if isinstance(found, type) and issubclass(found, RadrelayError) and found.__module__ == intake_errors.__name__:
            meaning = " ".join((found.__doc__ or "").split("\n\n")[0].split())
            yield found.code, f"{found.dimse_status:04X}", str(found.http_status), meaning


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
