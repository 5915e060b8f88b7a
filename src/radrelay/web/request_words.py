"""The words of the pages that tell a person what is held of them, English and German, in plain language."""

from __future__ import annotations

from collections.abc import Mapping

from radrelay.privacy.notice import Language

Words = Mapping[Language, Mapping[str, str]]
WORDS: Words = {
    "en": {
        "title": "The data that we keep about you",
        "made": "For {who}. As of {at}.",
        "by": "Kept by: {who}",
        "lead": "You asked what we keep about you (Art. 15 GDPR). This is all of it, in words. Beside it lie the same"
        " as a table for computers (person.json) and, as far as they may be handed out here, the images (folder DICOM)"
        " and the files that came with them (folder EXTRAS).",
        "nothing": "You asked what we keep about you (Art. 15 GDPR). We keep nothing under what you named.",
        "studies": "Your examinations ({n})",
        "unnamed": "An examination without a date",
        "recorded": "Recorded about you",
        "born": "born on {day}",
        "accession": "Number of the order",
        "place": "Made at",
        "referring": "Referred by",
        "counts": "Amount: {series} series with {objects|image or document|images or documents},"
        " {files|further file|further files}, {marks|marking|markings} by readers",
        "kept": "Came to us by “{source}” on {since}; {until}.",
        "until": "it is deleted on {at}",
        "no-end": "it is kept until somebody deletes it",
        "held": "Kept longer because: {reason}.",
        "clinic": "We keep it for {clinic}, which decides about it.",
        "barred": "Its processing is restricted: nobody sees it or sends it on.",
        "images": "The images are in the folder DICOM.",
        "not": "The images are not in this copy: whoever made it is not allowed to have them. Ask for them.",
        "seen": "Who has seen it, as far as the record reaches back:",
        "unseen": "As far as the record reaches back, nobody has seen it.",
        "seen-by": "{name} (recorded {n|time|times}, last on {last})",
        "seen-by-link": "somebody with the link “{name}” (recorded {n|time|times}, last on {last})",
        "more": "and {n} more, see person.json",
        "number": "Number of the examination: {uid}",
        "aside": "Kept aside ({n})",
        "aside-why": "These came with your number, but nobody has checked yet that they are yours. They came on:",
        "account": "Your account",
        "username": "User name", "full-name": "Name", "email": "E-mail address", "affiliation": "Where you work",
        "organisation": "Organisation here", "role": "Role", "created": "Made on", "groups": "Groups",
        "logins": "Logins that are kept", "links": "Links that you made", "marks": "Markings that you made",
        "accepted": "Texts that you accepted",
        "went": "To whom data went in the last six years",
        "went-nowhere": "To nobody.",
        "went-unclear": "Somebody else has had the same number. Of some entries ({n}) we cannot tell whether they are"
        " about you, so they are not listed here.",
        "rights": "What you can ask for",
        "rights-text": "You can have what is wrong corrected, have data erased or their processing restricted, and"
        " object. A law may oblige us to keep some of it; then we tell you which.",
        "officer": "Ask our data protection officer: {who}",
        "authority": "If you are not content, you can complain to: {who}",
        "page": "Page {n} of {of}",
    },
    "de": {
        "title": "Was wir über Sie aufbewahren",
        "made": "Für {who}. Stand: {at}.",
        "by": "Aufbewahrt von: {who}",
        "lead": "Sie haben gefragt, was wir über Sie aufbewahren (Art. 15 DSGVO). Hier steht alles in Worten. Daneben"
        " liegt dasselbe als Tabelle für Computer (person.json) und, soweit man sie hier herausgeben darf, die Bilder"
        " (Ordner DICOM) und die Dateien, die mit ihnen kamen (Ordner EXTRAS).",
        "nothing": "Sie haben gefragt, was wir über Sie aufbewahren (Art. 15 DSGVO). Unter dem, was Sie genannt haben,"
        " bewahren wir nichts auf.",
        "studies": "Ihre Untersuchungen ({n})",
        "unnamed": "Eine Untersuchung ohne Datum",
        "recorded": "Über Sie vermerkt",
        "born": "geboren am {day}",
        "accession": "Nummer des Auftrags",
        "place": "Gemacht in",
        "referring": "Überwiesen von",
        "counts": "Umfang: {series|Serie|Serien} mit {objects|Bild oder Dokument|Bildern oder Dokumenten},"
        " {files|weitere Datei|weitere Dateien}, {marks|Markierung|Markierungen} von Befundenden",
        "kept": "Kam am {since} über „{source}“ zu uns; {until}.",
        "until": "wird am {at} gelöscht",
        "no-end": "bleibt, bis jemand löscht",
        "held": "Bleibt länger, weil: {reason}.",
        "clinic": "Wir bewahren es für {clinic} auf; dort wird darüber entschieden.",
        "barred": "Die Verarbeitung ist eingeschränkt: Niemand sieht es oder sendet es weiter.",
        "images": "Die Bilder liegen im Ordner DICOM.",
        "not": "Die Bilder sind nicht in dieser Kopie: Wer sie erstellt hat, darf sie nicht haben. Fragen Sie danach.",
        "seen": "Wer es gesehen hat, so weit das Protokoll zurückreicht:",
        "unseen": "So weit das Protokoll zurückreicht, hat es niemand gesehen.",
        "seen-by": "{name} ({n}-mal vermerkt, zuletzt am {last})",
        "seen-by-link": "jemand mit dem Link „{name}“ ({n}-mal vermerkt, zuletzt am {last})",
        "more": "und {n} weitere, siehe person.json",
        "number": "Nummer der Untersuchung: {uid}",
        "aside": "Zurückgestellt ({n})",
        "aside-why": "Dies kam unter Ihrer Nummer, aber noch niemand hat geprüft, ob es zu Ihnen gehört. Es kam am:",
        "account": "Ihr Konto",
        "username": "Benutzername", "full-name": "Name", "email": "E-Mail-Adresse", "affiliation": "Wo Sie arbeiten",
        "organisation": "Einrichtung hier", "role": "Rolle", "created": "Angelegt am", "groups": "Gruppen",
        "logins": "Aufbewahrte Anmeldungen", "links": "Links von Ihnen", "marks": "Markierungen von Ihnen",
        "accepted": "Texte, die Sie angenommen haben",
        "went": "An wen Daten in den letzten sechs Jahren gingen",
        "went-nowhere": "An niemanden.",
        "went-unclear": "Auch jemand anderes hatte diese Nummer. Bei manchen Einträgen ({n}) lässt sich nicht sagen, ob"
        " sie von Ihnen handeln; sie stehen deshalb nicht hier.",
        "rights": "Was Sie verlangen können",
        "rights-text": "Sie können Falsches berichtigen, Daten löschen oder ihre Verarbeitung einschränken lassen und"
        " widersprechen. Manches müssen wir vielleicht von Gesetzes wegen aufbewahren; dann sagen wir Ihnen, was.",
        "officer": "Fragen Sie unseren Datenschutz: {who}",
        "authority": "Sind Sie nicht zufrieden, können Sie sich beschweren bei: {who}",
        "page": "Seite {n} von {of}",
    },
}  # fmt: skip
MODALITIES: Words = {
    "en": {
        "CT": "computed tomography", "MR": "magnetic resonance imaging", "US": "ultrasound", "CR": "X-ray",
        "DX": "X-ray", "MG": "mammography", "PT": "PET", "NM": "nuclear medicine", "XA": "angiography",
        "RF": "fluoroscopy", "XC": "photograph", "ES": "endoscopy", "SM": "microscopy", "SR": "report",
        "DOC": "document", "OT": "other", "KO": "selection of images", "PR": "markings", "SEG": "outlines",
        "ECG": "electrocardiogram",
    },
    "de": {
        "CT": "Computertomographie", "MR": "Magnetresonanztomographie", "US": "Ultraschall", "CR": "Röntgen",
        "DX": "Röntgen", "MG": "Mammographie", "PT": "PET", "NM": "Nuklearmedizin", "XA": "Angiographie",
        "RF": "Durchleuchtung", "XC": "Foto", "ES": "Endoskopie", "SM": "Mikroskopie", "SR": "Befund",
        "DOC": "Dokument", "OT": "anderes", "KO": "Auswahl von Bildern", "PR": "Markierungen", "SEG": "Umrisse",
        "ECG": "Elektrokardiogramm",
    },
}  # fmt: skip
SEXES: Words = {
    "en": {"M": "male", "F": "female", "O": "other"},
    "de": {"M": "männlich", "F": "weiblich", "O": "divers"},
}
ROLES: Words = {
    "en": {"admin": "administrator", "user": "user", "dpo": "data protection officer"},
    "de": {"admin": "Administration", "user": "Benutzer", "dpo": "Datenschutz"},
}
KINDS: Words = {
    "en": {"forward": "sent to", "download": "downloaded by or for", "export": "exported for", "share": "shared with"},
    "de": {"forward": "versandt an", "download": "heruntergeladen von oder für", "export": "ausgegeben für",
           "share": "geteilt mit"},
}  # fmt: skip
"""What a disclosure was, before its recipient."""
FURTHER: Words = {
    "en": {
        "privacy_transfer": "Consents that we have on record",
        "given": "On {at}: given by {giver}{what}.",
        "withdrawn": "Withdrawn on {at}: {how}.",
        "share_link": "Links that were made to your examinations",
        "own-links": "Links that you made",
        "made": "On {at} {name} made the link “{label}”.",
        "made-by-you": "You made a link on {at}.",
        "codes": "Its codes are sent to {email}.",
        "ended": "It was ended on {at}.",
        "ends": "It ends on {at}.",
        "opened": "It was opened {n|time|times}.",
        "access_restriction": "Restrictions that hold",
        "barred-since": "Since {at} processing is restricted: {reason}.",
        "fewer-since": "Since {at} only named people may see your examinations: {reason}.",
        "privacy_request": "What you asked of us",
        "asked-access": "On {at} {who} asked what we keep: {state}.",
        "asked-correction": "On {at} {who} asked for a correction: {state}.",
        "asked-erasure": "On {at} {who} asked for erasure: {state}.",
        "asked-restriction": "On {at} {who} asked to restrict processing: {state}.",
        "asked-objection": "On {at} {who} objected: {state}.",
        "answer": "Our answer: {answer}",
    },
    "de": {
        "privacy_transfer": "Einwilligungen, die wir vermerkt haben",
        "given": "Am {at}: erteilt von {giver}{what}.",
        "withdrawn": "Widerrufen am {at}: {how}.",
        "share_link": "Links zu Ihren Untersuchungen",
        "own-links": "Links, die Sie erstellt haben",
        "made": "Am {at} hat {name} den Link „{label}“ erstellt.",
        "made-by-you": "Sie haben am {at} einen Link erstellt.",
        "codes": "Seine Codes gehen an {email}.",
        "ended": "Er wurde am {at} beendet.",
        "ends": "Er endet am {at}.",
        "opened": "Er wurde {n}-mal geöffnet.",
        "access_restriction": "Einschränkungen, die gelten",
        "barred-since": "Seit {at} ist die Verarbeitung eingeschränkt: {reason}.",
        "fewer-since": "Seit {at} dürfen nur benannte Personen Ihre Untersuchungen sehen: {reason}.",
        "privacy_request": "Was Sie von uns verlangt haben",
        "asked-access": "Am {at} hat {who} gefragt, was wir aufbewahren: {state}.",
        "asked-correction": "Am {at} hat {who} eine Berichtigung verlangt: {state}.",
        "asked-erasure": "Am {at} hat {who} die Löschung verlangt: {state}.",
        "asked-restriction": "Am {at} hat {who} verlangt, die Verarbeitung einzuschränken: {state}.",
        "asked-objection": "Am {at} hat {who} widersprochen: {state}.",
        "answer": "Unsere Antwort: {answer}",
    },
}
STATES: Words = {
    "en": {"open": "not decided yet", "done": "done", "refused": "refused", "passed": "passed on"},
    "de": {"open": "noch nicht entschieden", "done": "erledigt", "refused": "abgelehnt", "passed": "weitergegeben"},
}
