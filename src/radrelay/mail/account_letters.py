"""The words of letters about signing up, a new address and the end of an account, German and English."""

from __future__ import annotations

from typing import Literal

_NOT_ASKED = {
    "de": "Haben Sie das nicht angefordert? Dann müssen Sie nichts tun: Ohne diesen Link geschieht nichts.",
    "en": "Did you not ask for it? Then there is nothing to do: without this link nothing happens.",
}
WORDS: dict[Literal["de", "en"], dict[str, tuple[str, tuple[str, ...]]]] = {
    "de": {
        "sign-up": (
            "Ihre Registrierung",
            (
                "mit dieser Adresse wurde ein Zugang zu {house} angefordert. Bestätigen Sie sie hier:",
                "{link}",
                "Der Link öffnet sich einmal und gilt bis {until}. Geben Sie ihn nicht weiter.",
                _NOT_ASKED["de"],
            ),
        ),
        "sign-up-known": (
            "Ihre Registrierung",
            (
                "mit dieser Adresse wurde ein Zugang zu {house} angefordert. Sie haben schon einen, mit dem "
                "Benutzernamen {username}. Ist Ihnen das Passwort entfallen, wählen Sie auf der Anmeldeseite "
                "„Passwort vergessen?“.",
                "Haben Sie das nicht angefordert? Dann müssen Sie nichts tun: An Ihrem Zugang ist nichts anders.",
            ),
        ),
        "sign-up-waits": (
            "Jemand wartet auf einen Zugang",
            (
                "{username} hat sich registriert und die E-Mail-Adresse bestätigt. Sehen Sie bitte auf der Seite "
                "Konten nach, wer es ist, und lassen Sie die Person ein, oder schließen Sie das Konto.",
            ),
        ),
        "sign-up-opened": (
            "Ihr Zugang ist offen",
            (
                "Ihr Zugang zu {house} ist freigegeben. Ihr Benutzername ist: {username}",
                "Sie sehen Studien, sobald jemand Ihnen welche freigibt.",
            ),
        ),
        "address-confirm": (
            "Ihre neue E-Mail-Adresse",
            (
                "diese Adresse soll die des Zugangs {username} bei {house} werden. Bestätigen Sie sie hier:",
                "{link}",
                "Der Link öffnet sich einmal und gilt bis {until}.",
                _NOT_ASKED["de"],
            ),
        ),
        "closed": (
            "Ihr Zugang ist geschlossen",
            (
                "Ihr Zugang {username} wurde für immer geschlossen. Was daran hing, ist gelöscht; das Protokoll "
                "behält, was das Gesetz verlangt.",
                "Kommt das für Sie unerwartet? Dann sprechen Sie bitte mit Ihrer Administration.",
            ),
        ),
    },
    "en": {
        "sign-up": (
            "Your sign-up",
            (
                "an account at {house} was asked for with this address. Confirm it here:",
                "{link}",
                "The link opens once, until {until}. Do not pass it on.",
                _NOT_ASKED["en"],
            ),
        ),
        "sign-up-known": (
            "Your sign-up",
            (
                "an account at {house} was asked for with this address. You have one already, with the user name "
                "{username}. If you have forgotten the password, choose “Forgot your password?” on the login page.",
                "Did you not ask for it? Then there is nothing to do: nothing has changed in your account.",
            ),
        ),
        "sign-up-waits": (
            "Somebody waits for an account",
            (
                "{username} has signed up and confirmed the e-mail address. Please look on the page Accounts who it "
                "is, and let the person in, or close the account.",
            ),
        ),
        "sign-up-opened": (
            "Your account is open",
            (
                "your account at {house} has been opened. Your user name is: {username}",
                "You see studies as soon as somebody releases some to you.",
            ),
        ),
        "address-confirm": (
            "Your new e-mail address",
            (
                "this address is to become that of the account {username} at {house}. Confirm it here:",
                "{link}",
                "The link opens once, until {until}.",
                _NOT_ASKED["en"],
            ),
        ),
        "closed": (
            "Your account is closed",
            (
                "your account {username} was closed for good. What hung on it is deleted; the record keeps what the "
                "law asks for.",
                "Did you not expect this? Then please talk to your administrators.",
            ),
        ),
    },
}
