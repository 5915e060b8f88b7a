"""What a person's pages tell beside studies and account: consents, links and their addresses, requests, restrictions.

In: rows by table, as `privacy.rows_of` returns them. Tables that a person would not read are told by the JSON alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radrelay.mail import filled
from radrelay.privacy.notice import Language
from radrelay.web.request_paper import Writing, moment_of
from radrelay.web.request_words import FURTHER, STATES

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
TOLD = ("privacy_transfer", "share_link", "access_restriction", "privacy_request")
"""The tables that the pages tell of, in this order."""


def told_of(rows: Rows) -> bool:
    """Say whether there is anything beside the requests themselves."""
    return any(rows.get(name) for name in TOLD if name != "privacy_request")


def further(paper: Writing, rows: Rows, language: Language) -> None:
    """Write a part for each table that has rows."""
    words = FURTHER[language]
    for name in TOLD:
        if rows.get(name):
            own = name == "share_link" and "maker_name" not in rows[name][0]
            paper.line(words["own-links" if own else name], 14, "bold", 14)
        for row in rows.get(name, ()):
            for line in filter(None, _lines(name, row, language)):
                paper.point(line)


def _lines(name: str, row: Mapping[str, Any], language: Language) -> list[str]:
    words = FURTHER[language]

    def said(key: str, at: str = "", **values: object) -> str:
        """Return a line, nothing where what it tells of never was."""
        if not at:
            return filled(words[key], **values)
        return words[key].format(at=moment_of(row[at], language), **values) if row[at] else ""

    if name == "privacy_transfer":
        version = row["text_version"]
        return [
            said("given", "given_at", giver=row["giver"], what=f" ({version})" if version else ""),
            said("withdrawn", "withdrawn_at", how=row["withdrawn_how"]),
        ]
    if name == "share_link":
        theirs = "maker_name" not in row  # of an account: to whose examinations is not told
        return [
            said("made-by-you", "created_at")
            if theirs
            else said("made", "created_at", name=row["maker_name"], label=row["label"]),
            said("codes", email=row["email"]) if row.get("email") else "",
            said("ended", "revoked_at") or said("ends", "ends_at"),
            said("opened", n=row["uses"]),
        ]
    if name == "access_restriction":
        key = "barred-since" if row["barred"] else "fewer-since"
        return [said(key, "created_at", reason=row["reason"] or "–")]
    state = STATES[language].get(row["state"], row["state"])
    contact = f" ({row['contact']})" if row["contact"] else ""
    asked = said(f"asked-{row['kind']}", "received_at", who=row["requester"] + contact, state=state)
    return [asked, said("answer", answer=row["answer"]) if row["answer"] else ""]
