"""Statuses of DIMSE responses as tables: code, category, meaning, and when Radrelay answers so.

Source: PS3.4 B.2.3 (storage), C.4 (query/retrieve), J.3 (storage commitment), PS3.7 annex C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["success", "pending", "warning", "cancel", "failure"]


@dataclass(frozen=True, slots=True)
class Status:
    """One status of one service."""

    service: str
    code: int
    category: Category
    meaning: str
    when: str


SUCCESS = 0x0000
CANCELLED = 0xFE00
PENDING = 0xFF00
PENDING_UNSUPPORTED_KEYS = 0xFF01
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
MISSING_ATTRIBUTE = 0x0120
INVALID_ARGUMENT = 0x0115
NO_SUCH_SOP_CLASS = 0x0118
CLASS_INSTANCE_CONFLICT = 0x0119
SOP_CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
RESOURCE_LIMITATION = 0x0213
NOT_AUTHORISED = 0x0124
UNRECOGNISED_OPERATION = 0x0211
OUT_OF_RESOURCES = 0xA700
CANNOT_COUNT_MATCHES = 0xA701
CANNOT_PERFORM_SUBOPERATIONS = 0xA702
MOVE_DESTINATION_UNKNOWN = 0xA801
IDENTIFIER_MISMATCH = 0xA900
SUBOPERATIONS_FAILED = 0xB000
CANNOT_UNDERSTAND = 0xC000

NO_SUCH_OBJECT_INSTANCE = 0x0112
"""Failure Reason (0008,1197) of an instance that is not kept (PS3.3 C.14)."""

STATUSES = (
    Status("C-ECHO", SUCCESS, "success", "Success", "always"),
    Status(
        "C-STORE", SUCCESS, "success", "Success", "the object is durable; also for a known object of the same content"
    ),
    Status("C-STORE", NOT_AUTHORISED, "failure", "Not authorised", "this caller may not store here"),
    Status("C-STORE", PROCESSING_FAILURE, "failure", "Processing failure", "an unforeseen fault; nothing was kept"),
    Status(
        "C-STORE",
        SOP_CLASS_NOT_SUPPORTED,
        "failure",
        "SOP class not supported",
        "the presentation context is not one for storage",
    ),
    Status(
        "C-STORE",
        OUT_OF_RESOURCES,
        "failure",
        "Out of resources",
        "no space, a quota or the size limit reached; nothing was kept",
    ),
    Status(
        "C-STORE",
        IDENTIFIER_MISMATCH,
        "failure",
        "Data set does not match SOP class",
        "UIDs of command and data set differ",
    ),
    Status(
        "C-STORE",
        CANNOT_UNDERSTAND,
        "failure",
        "Cannot understand",
        "the data set is missing or malformed; the comment says where",
    ),
    Status("C-FIND", SUCCESS, "success", "Success", "all matches were sent"),
    Status("C-FIND", PENDING, "pending", "Pending", "one match"),
    Status("C-FIND", CANCELLED, "cancel", "Cancelled", "after a C-CANCEL"),
    Status("C-FIND", NOT_AUTHORISED, "failure", "Not authorised", "this caller may not query"),
    Status(
        "C-FIND",
        SOP_CLASS_NOT_SUPPORTED,
        "failure",
        "SOP class not supported",
        "the presentation context is not one for C-FIND",
    ),
    Status("C-FIND", OUT_OF_RESOURCES, "failure", "Out of resources", "the index does not answer just now"),
    Status(
        "C-FIND",
        IDENTIFIER_MISMATCH,
        "failure",
        "Identifier does not match SOP class",
        "the level is missing or not one of the model",
    ),
    Status("C-FIND", CANNOT_UNDERSTAND, "failure", "Unable to process", "the identifier is malformed or missing"),
    Status("C-MOVE, C-GET", SUCCESS, "success", "Success", "every sub-operation succeeded, or nothing matched"),
    Status("C-MOVE, C-GET", PENDING, "pending", "Pending", "progress, at most ten a second"),
    Status("C-MOVE, C-GET", CANCELLED, "cancel", "Cancelled", "after a C-CANCEL; the counts say how far it came"),
    Status(
        "C-MOVE, C-GET",
        SUBOPERATIONS_FAILED,
        "warning",
        "Sub-operations complete, some failed",
        "the failed UIDs are listed, with what was left when the caller lost its access",
    ),
    Status("C-MOVE, C-GET", NOT_AUTHORISED, "failure", "Not authorised", "this caller may not retrieve"),
    Status(
        "C-MOVE, C-GET",
        CANNOT_COUNT_MATCHES,
        "failure",
        "Unable to count matches",
        "the index does not answer just now",
    ),
    Status(
        "C-MOVE, C-GET",
        CANNOT_PERFORM_SUBOPERATIONS,
        "failure",
        "Unable to perform sub-operations",
        "every sub-operation failed",
    ),
    Status(
        "C-MOVE", MOVE_DESTINATION_UNKNOWN, "failure", "Move destination unknown", "no destination has this AE title"
    ),
    Status(
        "C-MOVE, C-GET",
        IDENTIFIER_MISMATCH,
        "failure",
        "Identifier does not match SOP class",
        "the level or its unique keys are missing",
    ),
    Status(
        "C-MOVE, C-GET", CANNOT_UNDERSTAND, "failure", "Unable to process", "the identifier is malformed or missing"
    ),
    Status("N-CREATE, N-SET", SUCCESS, "success", "Success", "what was said of the performed step is durable"),
    Status(
        "N-CREATE, N-SET",
        NOT_AUTHORISED,
        "failure",
        "Not authorised",
        "this caller was not granted the worklist",
    ),
    Status("N-CREATE", DUPLICATE_SOP_INSTANCE, "failure", "Duplicate SOP instance", "the step is known"),
    Status(
        "N-CREATE", MISSING_ATTRIBUTE, "failure", "Missing attribute", "not IN PROGRESS, or nothing scheduled named"
    ),
    Status("N-SET", NO_SUCH_INSTANCE, "failure", "No such SOP instance", "the step is not known"),
    Status("N-SET", PROCESSING_FAILURE, "failure", "Processing failure", "the step has ended, or an unforeseen fault"),
    Status("N-ACTION", SUCCESS, "success", "Success", "the commitment request was taken; an N-EVENT-REPORT follows"),
    Status("N-ACTION", PROCESSING_FAILURE, "failure", "Processing failure", "an unforeseen fault"),
    Status(
        "N-ACTION", NO_SUCH_INSTANCE, "failure", "No such SOP instance", "not the well-known instance of the push model"
    ),
    Status("N-ACTION", INVALID_ARGUMENT, "failure", "Invalid argument value", "no transaction UID, or no references"),
    Status("N-ACTION", NO_SUCH_ACTION, "failure", "No such action", "an action type other than 1"),
    Status(
        "N-ACTION",
        RESOURCE_LIMITATION,
        "failure",
        "Resource limitation",
        "1000 requests of this device are not reported",
    ),
    Status("any other", UNRECOGNISED_OPERATION, "failure", "Unrecognised operation", "an operation that is not served"),
)


def is_pending(code: int) -> bool:
    """Tell whether more responses follow."""
    return code in (PENDING, PENDING_UNSUPPORTED_KEYS)


def is_warning(code: int) -> bool:
    """Tell whether a status reports success with a remark (PS3.7 annex C: 0001, 0107, 0116, Bxxx)."""
    return code in (0x0001, 0x0107, 0x0116) or code >> 12 == 0xB
