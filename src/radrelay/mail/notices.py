"""The words of letters that warn: of what happened to somebody's access, or to what they shared. None names a patient;
a report of a failed portal holds a link, a birth date or a PIN only where staff agreed.

German and English; `letters` writes them. What is counted or named in them is filled in.
"""

from __future__ import annotations

Words = dict[str, tuple[str, tuple[str, ...]]]

GERMAN: Words = {
    "study-here": (
        "Eine Studie ist für Sie da",
        (
            "bei {house} liegt eine Studie für Sie bereit:",
            "{link}",
            "Melden Sie sich an, um sie zu sehen. Wessen sie ist, steht hier mit Absicht nicht.",
        ),
    ),
    "destination-down": (
        "Ziel „{destination}“ antwortet nicht",
        (
            "das Ziel „{destination}“ ist seit {since} nicht zu erreichen. {n|Sendung wartet|Sendungen warten} darauf.",
            "Nichts geht verloren: Es wird weiter versucht, und alles geht von selbst hinaus, sobald das Ziel wieder "
            "antwortet. Den Grund und eine Prüfung finden Sie auf der Seite Ziele.",
        ),
    ),
    "certificate-ends": (
        "Ein Zertifikat endet bald: {certificate}",
        (
            "das Zertifikat „{subject}“ ({certificate}) auf {machine} endet am {at}, in höchstens {days|Tag|Tagen}.",
            "Die Datei: {file}. Bitte ersetzen Sie es rechtzeitig; danach bricht ab, was darauf beruht. Was sich "
            "selbst erneuern sollte und es nicht getan hat, zeigt die Seite Gateway mit dem Grund.",
        ),
    ),
    "certificate-ended": (
        "Ein Zertifikat ist abgelaufen: {certificate}",
        (
            "das Zertifikat „{subject}“ ({certificate}) auf {machine} ist seit {at} abgelaufen.",
            "Die Datei: {file}. Was darauf beruht, wird von anderen abgelehnt, bis Sie es ersetzen.",
        ),
    ),
    "volume": (
        "Ungewöhnlich viel abgerufen",
        (
            "über den Zugang „{who}“ wurde weit mehr abgerufen als üblich: {studies|Studie|Studien} von "
            "{patients|Person|Personen}, {gigabytes} GiB. Der Zugang ist weiter offen.",
            "Bitte klären Sie, ob das seine Richtigkeit hat: Seite Datenschutz, „Ungewöhnliche Mengen“. Dort steht, "
            "was üblich wäre; das Protokoll sagt, was abgerufen wurde.",
        ),
    ),
    "volume-suspended": (
        "Zugang gesperrt: ungewöhnlich viel abgerufen",
        (
            "über den Zugang „{who}“ wurde weit mehr abgerufen als üblich: {studies|Studie|Studien} von "
            "{patients|Person|Personen}, {gigabytes} GiB. Der Zugang ist seitdem gesperrt.",
            "Hat das seine Richtigkeit, lassen Sie ihn wieder zu: Seite Datenschutz, „Ungewöhnliche Mengen“. Sonst "
            "legen Sie dort einen Vorfall an.",
        ),
    ),
    "rule-met": (
        "Eine Studie ist eingetroffen: {rule}",
        (
            "eine Studie ist eingetroffen, auf die die Regel „{rule}“ zutrifft. Hier öffnen Sie sie:",
            "{link}",
            "Sehen kann sie nur, wer sich anmeldet und das darf. Diese Nachrichten bekommen die Mitglieder der Gruppe, "
            "die in der Regel steht.",
        ),
    ),
    "link-closed": (
        "Ihr Link ist für eine Weile zu",
        (
            "bei einem Ihrer Links wurde fünfmal falsch geantwortet. Er ist bis {until} geschlossen und öffnet sich "
            "danach von selbst wieder.",
            "Haben Sie sich mit dem Empfänger nur missverstanden, sagen Sie ihm die Antwort noch einmal. Kennen Sie "
            "den Grund nicht, nehmen Sie den Link zurück: Seite Links; dort steht auch, von wo geantwortet wurde.",
        ),
    ),
    "portal-report": (
        "Ein Portal ist gescheitert: {host}",
        (
            "ein Import von {host} ist gescheitert. Fehler: {code}, Schritt: {step}, Meldung: {report}",
            "Link: {address}",
            "Geburtsdatum: {born}. Antworten oder PIN: {answers}",
            "Ein Strich heißt: nicht mitgeschickt. Was dazu geschrieben wurde, steht nach der Anmeldung bei {house} "
            "auf der Seite Import unter Portale, bis die Meldung dort als gelöst gilt. Steht hier ein Link, öffnet er "
            "Bilder einer Person: Löschen Sie diese Nachricht, sobald Sie sie nicht mehr brauchen.",
        ),
    ),
    "factor-added": (
        "Neuer zweiter Faktor",
        (
            "für Ihren Zugang {username} wurde ein zweiter Faktor hinzugefügt.",
            "Waren Sie das nicht? Dann melden Sie es bitte sofort Ihrer Administration: Jemand könnte Zugang haben.",
        ),
    ),
    "factors-reset": (
        "Ihre zweiten Faktoren wurden entfernt",
        (
            "Ihre Administration hat die zweiten Faktoren Ihres Zugangs {username} entfernt. Alle Anmeldungen sind "
            "beendet; bei der nächsten richten Sie neue ein, wo sie verlangt werden.",
            "Haben Sie nicht darum gebeten? Dann fragen Sie bitte sofort dort nach.",
        ),
    ),
    "guessed": (
        "Jemand probiert Passwörter zu Ihrem Zugang",
        (
            "für Ihren Zugang {username} wurden seit {since} viele falsche Passwörter eingegeben. Niemand kam herein.",
            "An Geräten, mit denen Sie sich schon angemeldet haben, kommen Sie weiter wie gewohnt herein. Waren Sie es "
            "nicht selbst, sagen Sie es bitte Ihrer Administration.",
        ),
    ),
}
ENGLISH: Words = {
    "study-here": (
        "A study is here for you",
        (
            "a study is ready for you at {house}:",
            "{link}",
            "Log in to see it. Whose it is does not stand here, on purpose.",
        ),
    ),
    "destination-down": (
        "Destination “{destination}” does not answer",
        (
            "the destination “{destination}” cannot be reached since {since}. {n|delivery waits|deliveries wait} "
            "for it.",
            "Nothing is lost: it is tried again and again, and everything leaves by itself as soon as the destination "
            "answers. The reason, and a test, stand on the page Destinations.",
        ),
    ),
    "certificate-ends": (
        "A certificate ends soon: {certificate}",
        (
            "the certificate “{subject}” ({certificate}) on {machine} ends at {at}, in {days|day|days} at the latest.",
            "The file: {file}. Please replace it in time; what stands on it breaks off afterwards. If it should have "
            "renewed itself and has not, the page Gateway says why.",
        ),
    ),
    "certificate-ended": (
        "A certificate has ended: {certificate}",
        (
            "the certificate “{subject}” ({certificate}) on {machine} has ended at {at}.",
            "The file: {file}. What stands on it is refused by others until you replace it.",
        ),
    ),
    "volume": (
        "Unusually much was fetched",
        (
            "far more than usual was fetched through the access “{who}”: {studies|study|studies} of "
            "{patients|person|people}, {gigabytes} GiB. The access is still open.",
            "Please find out whether that is right: page Privacy, “Unusual volume”. It says what would be usual; the "
            "record says what was fetched.",
        ),
    ),
    "volume-suspended": (
        "Access suspended: unusually much was fetched",
        (
            "far more than usual was fetched through the access “{who}”: {studies|study|studies} of "
            "{patients|person|people}, {gigabytes} GiB. It has been suspended since.",
            "If that was right, let it in again: page Privacy, “Unusual volume”. If not, enter an incident there.",
        ),
    ),
    "rule-met": (
        "A study has come: {rule}",
        (
            "a study has come that the rule “{rule}” is about. Open it here:",
            "{link}",
            "Only who logs in and may see it will. The members of the group that the rule names get these letters.",
        ),
    ),
    "link-closed": (
        "Your link is closed for a while",
        (
            "one of your links was answered wrongly five times. It is closed until {until}, and opens by itself then.",
            "If you and the recipient only misunderstood each other, tell them the answer again. If you do not know "
            "why it happened, take the link back: page Links, which also says from where it was answered.",
        ),
    ),
    "portal-report": (
        "A portal has failed: {host}",
        (
            "an import from {host} has failed. Error: {code}, step: {step}, report: {report}",
            "Link: {address}",
            "Birth date: {born}. Answers or PIN: {answers}",
            "A dash means: not sent along. What was written with it stands at {house}, after logging in, on the page "
            "Import under Portals, until the report is called solved there. If a link stands here, it opens somebody's "
            "images: delete this letter as soon as you need it no longer.",
        ),
    ),
    "factor-added": (
        "A new second factor",
        (
            "a second factor was added to your account {username}.",
            "Was that not you? Then tell your administrators at once: somebody may have got in.",
        ),
    ),
    "factors-reset": (
        "Your second factors were taken away",
        (
            "your administrators have taken the second factors of your account {username} away. All its logins have "
            "ended; at the next you set up new ones where they are asked for.",
            "Did you not ask for it? Then ask them at once.",
        ),
    ),
    "guessed": (
        "Somebody tries passwords for your account",
        (
            "many wrong passwords have been given for your account {username} since {since}. Nobody got in.",
            "On devices on which you have logged in before you get in as always. If it was not you, please tell your "
            "administrators.",
        ),
    ),
}

CERTIFICATES: dict[str, dict[str, str]] = {
    "de": {
        "public": "Seiten für außen", "agent": "Verbindung zum Relay", "pages": "Seiten", "dicom": "DICOM TLS",
        "dicom-ca": "Stelle für DICOM TLS", "hl7": "HL7 TLS", "hl7-ca": "Stelle für HL7 TLS",
        "hl7-receiver-ca": "Stelle eines HL7-Empfängers", "directory-ca": "Stelle des Verzeichnisses (LDAP)",
        "sign-on-ca": "Stelle der Anmeldung (OpenID)", "mail-ca": "Stelle des Mailservers",
        "audit": "Protokollserver", "audit-ca": "Stelle des Protokollservers", "acme-ca": "Stelle des ACME-Dienstes",
    },
    "en": {
        "public": "pages for outside", "agent": "link to the relay", "pages": "pages", "dicom": "DICOM TLS",
        "dicom-ca": "authority for DICOM TLS", "hl7": "HL7 TLS", "hl7-ca": "authority for HL7 TLS",
        "hl7-receiver-ca": "authority of an HL7 receiver", "directory-ca": "authority of the directory (LDAP)",
        "sign-on-ca": "authority of the sign-on (OpenID)", "mail-ca": "authority of the mail server",
        "audit": "audit repository", "audit-ca": "authority of the audit repository",
        "acme-ca": "authority of the ACME service",
    },
}  # fmt: skip
"""What each kind of certificate is called in letters."""
