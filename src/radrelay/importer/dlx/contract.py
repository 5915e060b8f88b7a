"""The contract of DICOM Link Exchange, in one place for the client, the provider and the kit that tests providers.

DIN/TS 19455:2025-03 is not public; what stands here is the published prototype of its interface (OpenAPI, base
`/dlx/v1`; a later draft, v2, answers importers in the same way) and what was met at providers in the wild.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HEADER = "X-DICOM-LINK-EXCHANGE"
BASE = "/dlx/v1"
VERSIONS = ("1", "2")
TOKEN, ANSWERS, LIST, DOWNLOAD, DOWNLOAD_ALL, API_INFO = (
    "token", "tokentfa", "list", "download", "downloadall", "api_info",
)  # fmt: skip
JSON, JWT, ZIP, PDF, DICOM = (
    "application/json", "application/jwt", "application/zip", "application/pdf", "application/dicom",
)  # fmt: skip
QUESTION_TYPES = ("PAT_BIRTH_DATE", "STUDY_DATE", "PASSWORD", "CUSTOM")
FORMATS = ("DATE", "STRING")
OK, BAD_REQUEST, UNAUTHORISED, EXPIRED, BUSY = 200, 400, 401, 403, 503

Force = Literal["must", "should"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence that a provider fulfils or not. `why` says what goes wrong for patients and importers otherwise."""

    id: str
    text: str
    why: str
    force: Force = "must"


@dataclass(frozen=True, slots=True)
class Fault:
    """A way of failing that was met, or may be, and the clause that it breaks (none: the contract allows it)."""

    name: str
    text: str
    breaks: str = ""


CLAUSES = (
    Clause("reached", "The provider is reached by HTTPS, and its certificate is trusted.",
           "A birth date is sent to it."),
    Clause("questions", f"GET /token/{{value}} with the header {HEADER} answers 200: apiInfo and tfaQuestion.",
           "An importer does not know what to ask the patient."),
    Clause("questions-form", "Each question has a text with its language, a questionId, a known questionType and"
           " answerFormat.", "The question cannot be shown, or the answer is sent in the wrong form."),
    Clause("base", "apiInfo names dlxVersion and an apiBasePath by HTTPS on the same host.",
           "Importers do not send a birth date to another host than the one on the paper."),
    Clause("portal", f"The portal's own address with ?token= and the header {HEADER} answers as /token/{{value}} does.",
           "What stands in the QR code is the portal's address; an importer gets a web page instead.", "should"),
    Clause("unknown-token", "GET /token/{value} answers 200 with a question for unknown tokens, too.",
           "Whoever guesses tokens learns which exist."),
    Clause("wrong-answer", "POST /tokentfa/{value} answers 401 to a wrong answer.",
           "An importer cannot tell a wrong birth date from a fault."),
    Clause("unknown-answer", "POST /tokentfa/{value} answers 401 for unknown tokens.",
           "Whoever guesses tokens learns which exist."),
    Clause("expired", "POST /tokentfa/{value} answers 403 to right answers for an expired token.",
           "Nobody is told to ask for reactivation."),
    Clause("login", "POST /tokentfa/{value} answers 200 to right answers, with a raw JWT as application/jwt.",
           "The importer cannot go on."),
    Clause("list-closed", "GET /list without a valid JWT answers 401.", "Anybody could see what is there."),
    Clause("list", "GET /list answers 200 with dataItem, each with id, mimeType and description (JSON).",
           "Nothing is found to fetch."),
    Clause("list-form", "Dates are YYYYMMDD, names are in DICOM's form (Family^Given), studyInstanceUID is a UID.",
           "The patient and the study cannot be compared before the download.", "should"),
    Clause("download-closed", "GET /download/{id} without a valid JWT answers 401.", "Anybody could fetch images."),
    Clause("unknown-item", "GET /download/{id} answers 400 for an unknown id.", "A fault cannot be told.", "should"),
    Clause("download", "GET /download/{id} answers 200 with the file.", "The images do not arrive."),
    Clause("busy", "A busy provider answers 503 with timeOutInSeconds (JSON).",
           "An importer does not know when to come again."),
    Clause("content", "What is sent is what mimeType says: a study is a ZIP, a report a PDF, an object DICOM.",
           "Importers that believe it file images as a report, or a web page as images."),
    Clause("media", "A study's ZIP is IHE PDI: a DICOMDIR at its root that names the files that are there.",
           "The receiver cannot tell whether anything is missing."),
    Clause("count", "fileCount is the number of files in the ZIP.", "A check for completeness fails.", "should"),
    Clause("patient", "All objects of a study belong to the patient and the study that the list names.",
           "Images come to the wrong patient."),
    Clause("resume", "A download names an ETag and takes ranges.",
           "A download of gigabytes that breaks off at its end begins anew.", "should"),
    Clause("download-all", "GET /downloadall answers 200 with all items as one ZIP (IHE PDI).",
           "Importers that fetch all at once get nothing."),
    Clause("api-info", "GET /api_info answers 200 with dlxVersion and apiBasePath (JSON).",
           "Other systems cannot tell what it can do.", "should"),
)  # fmt: skip
BY_ID = {one.id: one for one in CLAUSES}

FAULTS = (
    Fault("answers-wrong", "every answer is taken as wrong: 401", "login"),
    Fault("expired", "right answers are told that the token has expired: 403"),
    Fault("unknown-404", "unknown tokens are answered with 404", "unknown-token"),
    Fault("questions-page", "the token's address answers with a web page", "questions"),
    Fault("questions-text", "questions are texts without a language, as in the first prototype", "questions-form"),
    Fault("foreign-base", "apiBasePath leads to another host", "base"),
    Fault("clear-base", "apiBasePath leads to http; shows only with --certificate, for else all is http", "base"),
    Fault("placeholder-base", "apiBasePath is no address: https://<server>/dlx/v1/", "base"),
    Fault("inside-redirect", "the token's address redirects to an address inside the house", "questions"),
    Fault("jwt-missing", "right answers are answered without a JWT", "login"),
    Fault("jwt-json", "the JWT comes wrapped in JSON", "login"),
    Fault("jwt-short", "a JWT counts for a second"),
    Fault("jwt-silent", "a JWT that does not count is answered with 200 and nothing", "list-closed"),
    Fault("list-empty", "nothing is listed", "list"),
    Fault("list-page", "the list is a web page", "list"),
    Fault("list-open", "the list is shown without a JWT", "list-closed"),
    Fault("pdf-for-zip", "studies are called application/pdf", "content"),
    Fault("comma-names", "names are Family,Given", "list-form"),
    Fault("page-for-zip", "a download is a web page, called a ZIP", "content"),
    Fault("other-file", "a download is a program", "content"),
    Fault("busy", "the first two downloads are answered with 503 and timeOutInSeconds"),
    Fault("busy-bare", "the first two downloads are answered with 503 and nothing more", "busy"),
    Fault("break-off", "the first download breaks off at 99 %"),
    Fault("no-ranges", "no ranges and no ETag", "resume"),
    Fault("stall", "downloads stop in the middle and stay open", "download"),
    Fault("drip", "downloads come a byte at a time", "download"),
    Fault("endless", "downloads never end", "download"),
    Fault("bare-zip", "studies without a DICOMDIR", "media"),
    Fault("missing-file", "a file that the DICOMDIR names is not there", "media"),
    Fault("wrong-count", "fileCount is one too many", "count"),
    Fault("wrong-patient", "the list names another patient than the files", "patient"),
    Fault("unsafe-paths", "names in the ZIP lead out of it", "media"),
    Fault("bomb", "a file in the ZIP unpacks to megabytes of nothing", "media"),
)  # fmt: skip
FAULTS_BY_NAME = {one.name: one for one in FAULTS}
