"""The words of letters, German and English. None names a patient or a study.

A kind is a subject and paragraphs; `{name}` and the like are filled in from what `write` is given, `{house}` is the
installation's name. Links stand on a line of their own, so that every reader of mail makes them one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from radrelay.mail import notices
from radrelay.mail.account_letters import WORDS as OF_ACCOUNTS
from radrelay.mail.counted import filled

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter says."""

    kind: str
    language: Language
    subject: str
    text: str = field(repr=False)


_SIGNED = {
    "de": "Diese Nachricht wurde von {house} automatisch geschrieben. Antworten liest niemand.",
    "en": "{house} wrote this by itself. Nobody reads replies.",
}
_NOT_YOU = {
    "de": "Waren Sie das nicht? Dann melden Sie es bitte sofort Ihrer Administration: Jemand könnte Zugang haben.",
    "en": "Was that not you? Then tell your administrators at once: somebody may have got in.",
}
_WORDS: dict[Language, dict[str, tuple[str, tuple[str, ...]]]] = {
    "de": OF_ACCOUNTS["de"]
    | {
        "test": (
            "Probenachricht",
            ("der Mailserver nimmt Nachrichten von {house} an, und Sie haben diese erhalten: Es ist alles richtig.",),
        ),
        "invitation": (
            "Ihr Zugang",
            (
                "für Sie wurde ein Zugang zu {house} angelegt. Ihr Benutzername ist: {username}",
                "Legen Sie hier Ihr Passwort fest:",
                "{link}",
                "Der Link öffnet sich einmal und gilt bis {until}. Geben Sie ihn nicht weiter.",
            ),
        ),
        "reset": (
            "Neues Passwort",
            (
                "für Ihren Zugang {username} wurde ein neues Passwort angefordert. Legen Sie es hier fest:",
                "{link}",
                "Der Link öffnet sich einmal und gilt bis {until}. Geben Sie ihn nicht weiter.",
                "Haben Sie das nicht angefordert? Dann müssen Sie nichts tun: Ihr Passwort bleibt, wie es ist.",
            ),
        ),
        "reset-elsewhere": (
            "Ihr Passwort",
            (
                "für Ihren Zugang {username} wurde ein neues Passwort angefordert. {house} verwahrt Ihr Passwort "
                "nicht: Es ist das Ihres Arbeitsplatzes und wird dort geändert.",
                "Haben Sie das nicht angefordert? Dann müssen Sie nichts tun.",
            ),
        ),
        "pin": (
            "Ihre PIN",
            (
                "Ihre PIN ist {pin}.",
                "Sie gilt zehn Minuten und einmal für Ihre Anmeldung bei {house}. Melden Sie sich gerade nicht an, "
                "kennt jemand Ihr Passwort: Ändern Sie es, und sagen Sie es Ihrer Administration.",
            ),
        ),
        "link-code": (
            "Ihr Code",
            (
                "Ihr Code ist {code}.",
                "Er öffnet den Link, den Sie von {house} erhalten haben: zehn Minuten lang, einmal, und nur in dem "
                "Browser, in dem er angefordert wurde.",
                "Haben Sie gerade keinen Link geöffnet? Dann hat ihn jemand anderes. Geben Sie den Code nicht weiter, "
                "und sagen Sie es der Stelle, von der Sie den Link haben.",
            ),
        ),
        "password-changed": (
            "Ihr Passwort wurde geändert",
            ("das Passwort Ihres Zugangs {username} wurde geändert. Alle anderen Anmeldungen sind beendet.",
             _NOT_YOU["de"]),
        ),
        "address-changed": (
            "Ihre E-Mail-Adresse wurde geändert",
            ("die E-Mail-Adresse Ihres Zugangs {username} wurde geändert; Nachrichten gehen nicht mehr hierher.",
             _NOT_YOU["de"]),
        ),
        "lost": (
            "Ihr Zugang ist geschlossen",
            (
                "für Ihren Zugang {username} wurde gemeldet, dass Zugangsdaten verloren sind. Alle Anmeldungen sind "
                "beendet, das Passwort gilt nicht mehr.",
                "Öffnen können Sie ihn über „Passwort vergessen?“ auf der Anmeldeseite, oder Ihre Administration.",
            ),
        ),
        "lost-told": (
            "Zugangsdaten verloren: {username}",
            (
                "{username} hat gemeldet, dass Zugangsdaten verloren sind. Der Zugang ist geschlossen, alle "
                "Anmeldungen sind beendet.",
                "Prüfen Sie bitte, was zuletzt geschah (Seite Protokoll), und öffnen Sie den Zugang danach wieder "
                "(Seite Konten).",
            ),
        ),
        "glass-broken": (
            "Eine geschützte Studie wurde geöffnet",
            (
                "{who} hat am {at} aus einem Grund eine geschützte Studie für sich geöffnet, bis {until}.",
                "Welche und warum, steht nach der Anmeldung bei {house} über Ihrer Studienliste; hier steht es mit "
                "Absicht nicht. Der Datenschutz sieht es sich auf der Seite Geschützt an.",
            ),
        ),
        "request-due": (
            "Eine Anfrage zum Datenschutz ist am {due} fällig",
            (
                "eine Anfrage einer betroffenen Person ist am {due} zu beantworten (noch {days|Tag|Tage}) und "
                "ist noch offen.",
                "Welche, steht nach der Anmeldung bei {house} auf der Seite Datenschutz unter Anfragen. Dauert es "
                "länger, sagen Sie es der Person vor diesem Tag, und tragen Sie den Grund dort ein.",
            ),
        ),
        "request-late": (
            "Eine Anfrage zum Datenschutz ist überfällig",
            (
                "eine Anfrage einer betroffenen Person war am {due} zu beantworten und ist noch offen.",
                "Welche, steht nach der Anmeldung bei {house} auf der Seite Datenschutz unter Anfragen.",
            ),
        ),
    },
    "en": OF_ACCOUNTS["en"]
    | {
        "test": (
            "Test mail",
            ("the mail server takes mail from {house}, and you have received this: everything is right.",),
        ),
        "invitation": (
            "Your account",
            (
                "an account at {house} has been made for you. Your user name is: {username}",
                "Choose your password here:",
                "{link}",
                "The link opens once, until {until}. Do not pass it on.",
            ),
        ),
        "reset": (
            "New password",
            (
                "a new password was asked for your account {username}. Choose it here:",
                "{link}",
                "The link opens once, until {until}. Do not pass it on.",
                "Did you not ask for it? Then there is nothing to do: your password stays as it is.",
            ),
        ),
        "reset-elsewhere": (
            "Your password",
            (
                "a new password was asked for your account {username}. {house} does not keep your password: it is that "
                "of your workstation, and is changed there.",
                "Did you not ask for it? Then there is nothing to do.",
            ),
        ),
        "pin": (
            "Your PIN",
            (
                "Your PIN is {pin}.",
                "It lets you in to {house} for ten minutes, once. If you are not logging in just now, somebody knows "
                "your password: change it, and tell your administrators.",
            ),
        ),
        "link-code": (
            "Your code",
            (
                "Your code is {code}.",
                "It opens the link that you were given by {house}: for ten minutes, once, and only in the browser in "
                "which it was asked for.",
                "Did you not open a link just now? Then somebody else has it. Do not pass the code on, and tell "
                "whoever gave you the link.",
            ),
        ),
        "password-changed": (
            "Your password was changed",
            ("the password of your account {username} was changed. All other logins have ended.", _NOT_YOU["en"]),
        ),
        "address-changed": (
            "Your e-mail address was changed",
            ("the e-mail address of your account {username} was changed; nothing is sent here any more.",
             _NOT_YOU["en"]),
        ),
        "lost": (
            "Your account is closed",
            (
                "credentials of your account {username} were reported lost. All its logins have ended, and its "
                "password does not count any more.",
                "You can open it by “Forgot your password?” on the login page, or your administrators can.",
            ),
        ),
        "lost-told": (
            "Credentials lost: {username}",
            (
                "{username} has reported credentials as lost. The account is closed, and all its logins have ended.",
                "Please look at what happened lately (page Audit), and then open the account again (page Accounts).",
            ),
        ),
        "glass-broken": (
            "A restricted study was opened",
            (
                "{who} opened a restricted study to themselves for a reason on {at}, until {until}.",
                "Which one and why stands above your list of studies at {house} once you are logged in; on purpose it "
                "does not stand here. The data protection officer looks into it on the page Restricted.",
            ),
        ),
        "request-due": (
            "A data protection request is due on {due}",
            (
                "a data subject’s request has to be answered by {due} ({days|day|days} left), and is still open.",
                "Which one stands on the page Privacy, Requests, once you are logged in at {house}. If it takes "
                "longer, tell the person before that day, and note the reason there.",
            ),
        ),
        "request-late": (
            "A data protection request is late",
            (
                "a data subject’s request had to be answered by {due}, and is still open.",
                "Which one stands on the page Privacy, Requests, once you are logged in at {house}.",
            ),
        ),
    },
}  # fmt: skip
_WORDS["de"].update(notices.GERMAN)
_WORDS["en"].update(notices.ENGLISH)
_GREETING = {"de": "Guten Tag{whom},", "en": "Hello{whom},"}
KINDS = tuple(_WORDS["en"])


def language_of(wanted: str, otherwise: Language) -> Language:
    """Return the language that somebody reads letters in."""
    return next((one for one in LANGUAGES if wanted.lower().startswith(one)), otherwise)


def until(moment: datetime, language: Language) -> str:
    """Return a moment as letters say it, in UTC."""
    return f"{moment:%d.%m.%Y, %H:%M} UTC" if language == "de" else f"{moment:%d %B %Y, %H:%M} UTC"


def write(kind: str, language: Language, house: str, facts: Mapping[str, str], *, whom: str = "") -> Letter:
    """Return the letter of a kind; a KeyError means that a fact is missing. `whom` is the name in its greeting."""
    subject, paragraphs = _WORDS[language][kind]
    told = {name: _one_line(value) for name, value in {**facts, "house": house}.items()}
    greeting = _GREETING[language].format(whom=f" {_one_line(whom)}" if whom else "")
    lines = [
        greeting,
        *(filled(paragraph, **told) for paragraph in paragraphs),
        f"-- \n{_SIGNED[language].format(**told)}",
    ]
    return Letter(kind, language, f"{told['house']}: {subject.format(**told)}", "\n\n".join(lines) + "\n")


def _one_line(text: str) -> str:
    """Return a text without line ends or other control characters: what people type as names stands in letters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
