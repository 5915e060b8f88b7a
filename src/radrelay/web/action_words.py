"""What was done to somebody's data, in the words of the pages: for reports that the server writes itself.

The pages' own catalogue has the same, and a test holds both to each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from radrelay.privacy.notice import Language

FAMILIES = (
    "access", "analysis", "attachment", "audit", "consent", "delivery", "grant", "import", "instance", "link", "mark",
    "marks", "owner", "quarantine", "release", "request", "series", "study", "waiting",
)  # fmt: skip
"""What stands before the dot of acts that can be about a patient."""
ACTIONS: Mapping[str, Mapping[Language, str]] = {
    "access.break-glass": {"en": "Restricted study opened", "de": "Geschützte Studie geöffnet"},
    "access.break-glass-review": {
        "en": "Opening of a restricted study looked into",
        "de": "Öffnung einer geschützten Studie geprüft",
    },
    "access.let-in": {"en": "Suspended access let in again", "de": "Gesperrten Zugang wieder zugelassen"},
    "access.prior-rule": {"en": "Rule of earlier studies changed", "de": "Regel für frühere Studien geändert"},
    "access.restrict": {"en": "Studies restricted", "de": "Studien geschützt"},
    "access.suspend": {"en": "Access suspended for unusual volume", "de": "Zugang wegen ungewöhnlicher Menge gesperrt"},
    "access.unrestrict": {"en": "Restriction lifted", "de": "Schutz aufgehoben"},
    "access.unusual": {"en": "Unusual volume", "de": "Ungewöhnliche Menge"},
    "access.unusual-settled": {"en": "Unusual volume looked into", "de": "Ungewöhnliche Menge geprüft"},
    "analysis.cancel": {"en": "Analysis cancelled", "de": "Auswertung abgebrochen"},
    "analysis.end": {"en": "Analysis ended", "de": "Auswertung beendet"},
    "analysis.set": {"en": "Analysis set", "de": "Auswertung eingestellt"},
    "analysis.start": {"en": "Analysis started", "de": "Auswertung gestartet"},
    "attachment.convert": {"en": "File made DICOM", "de": "Datei zu DICOM gemacht"},
    "audit.disclosures": {
        "en": "Asked to whom data of a patient went",
        "de": "Gefragt, an wen Daten eines Patienten gingen",
    },
    "audit.expire": {"en": "Old events of the audit ended", "de": "Alte Ereignisse des Protokolls beendet"},
    "audit.export": {"en": "Audit taken away as a file", "de": "Protokoll als Datei mitgenommen"},
    "audit.proof": {"en": "Chain verified", "de": "Kette geprüft"},
    "audit.retention": {"en": "Times of the audit changed", "de": "Fristen des Protokolls geändert"},
    "audit.seen": {"en": "Asked who has seen a study", "de": "Gefragt, wer eine Studie gesehen hat"},
    "audit.view": {"en": "Audit looked at", "de": "Protokoll angesehen"},
    "consent.enter": {"en": "Consent to a transfer entered", "de": "Einwilligung in eine Übermittlung eingetragen"},
    "consent.erase": {
        "en": "What came by a withdrawn consent deleted",
        "de": "Durch eine widerrufene Einwilligung Gekommenes gelöscht",
    },
    "consent.find": {
        "en": "Data of a patient looked for, for a consent",
        "de": "Daten eines Patienten gesucht, für eine Einwilligung",
    },
    "consent.list": {"en": "Consents looked at", "de": "Einwilligungen angesehen"},
    "consent.withdraw": {"en": "Consent to a transfer withdrawn", "de": "Einwilligung in eine Übermittlung widerrufen"},
    "delivery.cancel": {"en": "Delivery cancelled", "de": "Versand abgebrochen"},
    "delivery.end": {"en": "Study sent on", "de": "Studie weitergesendet"},
    "delivery.part": {"en": "Part of a study sent on", "de": "Teil einer Studie weitergesendet"},
    "delivery.step": {"en": "Performed step passed on", "de": "Durchgeführter Schritt weitergegeben"},
    "delivery.priority": {"en": "Delivery’s priority changed", "de": "Vorrang eines Versands geändert"},
    "delivery.retry": {"en": "Delivery tried again", "de": "Versand wiederholt"},
    "grant.change": {"en": "Grant changed", "de": "Freigabe geändert"},
    "grant.give": {"en": "Grant given", "de": "Recht erteilt"},
    "grant.list": {"en": "Grants looked at", "de": "Freigaben angesehen"},
    "grant.revoke": {"en": "Grant taken back", "de": "Recht entzogen"},
    "import.begin": {"en": "Import begun", "de": "Import begonnen"},
    "import.end": {"en": "Import ended", "de": "Import beendet"},
    "import.stow": {"en": "Received by DICOMweb", "de": "Über DICOMweb empfangen"},
    "import.study": {"en": "Study arrived", "de": "Studie eingetroffen"},
    "instance.delete": {"en": "Object deleted", "de": "Objekt gelöscht"},
    "instance.mend": {
        "en": "Damaged object replaced by its second copy",
        "de": "Beschädigtes Objekt durch eine zweite Kopie ersetzt",
    },
    "link.close": {"en": "Link closed by wrong answers", "de": "Link durch falsche Antworten geschlossen"},
    "link.code": {"en": "Code for a link sent by e-mail", "de": "Code für einen Link per E-Mail gesendet"},
    "link.leave": {"en": "Link left", "de": "Link verlassen"},
    "link.make": {"en": "Link made", "de": "Link erstellt"},
    "link.open": {"en": "Link opened", "de": "Link geöffnet"},
    "link.revoke": {"en": "Link revoked", "de": "Link widerrufen"},
    "mark.delete": {"en": "Mark deleted", "de": "Markierung gelöscht"},
    "mark.write": {"en": "Mark written", "de": "Markierung geschrieben"},
    "marks.download": {"en": "Marks downloaded", "de": "Markierungen heruntergeladen"},
    "marks.file": {"en": "Marks filed as DICOM objects", "de": "Markierungen als DICOM-Objekte abgelegt"},
    "marks.withdraw": {"en": "Objects of marks withdrawn", "de": "Objekte aus Markierungen zurückgezogen"},
    "owner.add": {"en": "Owner added", "de": "Eigentümer hinzugefügt"},
    "owner.end": {"en": "Ownership ended", "de": "Eigentum beendet"},
    "owner.list": {"en": "Owners looked at", "de": "Eigentümer angesehen"},
    "quarantine.delete": {"en": "Quarantined object deleted", "de": "Objekt der Quarantäne gelöscht"},
    "quarantine.download": {"en": "Quarantined object downloaded", "de": "Objekt der Quarantäne heruntergeladen"},
    "quarantine.list": {"en": "Quarantine looked at", "de": "Quarantäne angesehen"},
    "quarantine.release": {"en": "Released from quarantine", "de": "Aus der Quarantäne freigegeben"},
    "quarantine.view": {"en": "Quarantined object looked at", "de": "Objekt der Quarantäne angesehen"},
    "release.end": {"en": "Release taken back", "de": "Freigabe zurückgenommen"},
    "release.give": {"en": "Study released", "de": "Studie freigegeben"},
    "release.list": {"en": "Releases looked at", "de": "Freigaben einer Studie angesehen"},
    "request.change": {"en": "Request changed", "de": "Anfrage geändert"},
    "request.enter": {"en": "Request of a data subject entered", "de": "Anfrage einer betroffenen Person eingetragen"},
    "request.erase": {"en": "Data of a patient erased", "de": "Daten eines Patienten gelöscht"},
    "request.export": {"en": "Data of a person handed out", "de": "Daten einer Person herausgegeben"},
    "request.find": {"en": "Data of a person looked for", "de": "Daten einer Person gesucht"},
    "request.lift": {"en": "Restriction of processing lifted", "de": "Einschränkung der Verarbeitung aufgehoben"},
    "request.list": {"en": "Requests looked at", "de": "Anfragen angesehen"},
    "request.pass": {"en": "Request passed on to a clinic", "de": "Anfrage an eine Klinik weitergegeben"},
    "request.remind": {"en": "Officers reminded of a request", "de": "Datenschutz an eine Anfrage erinnert"},
    "request.restrict": {"en": "Processing restricted", "de": "Verarbeitung eingeschränkt"},
    "series.delete": {"en": "Series deleted", "de": "Serie gelöscht"},
    "study.coerce": {"en": "Study changed as HL7 says", "de": "Studie nach HL7 geändert"},
    "study.correct": {"en": "Study corrected", "de": "Studie berichtigt"},
    "study.delete": {"en": "Study deleted", "de": "Studie gelöscht"},
    "study.download": {"en": "Study downloaded", "de": "Studie heruntergeladen"},
    "study.export": {"en": "Pictures of a study taken", "de": "Bilder einer Studie mitgenommen"},
    "study.forward": {"en": "Sending of a study asked for", "de": "Versand einer Studie beauftragt"},
    "study.hold": {"en": "Study held", "de": "Studie festgehalten"},
    "study.lost": {"en": "Study lost with a machine", "de": "Studie mit einer Maschine verloren"},
    "study.notify": {
        "en": "Notified of a study by a rule",
        "de": "Durch eine Regel über eine Studie benachrichtigt",
    },
    "study.open": {"en": "Study opened", "de": "Studie geöffnet"},
    "study.priors": {"en": "Other studies of a patient listed", "de": "Weitere Studien eines Patienten gelistet"},
    "study.release": {"en": "Hold ended", "de": "Festhalten beendet"},
    "study.retain": {
        "en": "Retention of a study set by a rule",
        "de": "Aufbewahrung einer Studie durch eine Regel festgelegt",
    },
    "study.rule-failed": {"en": "A rule failed with a study", "de": "Eine Regel scheiterte bei einer Studie"},
    "study.rules": {
        "en": "Looked at which rules met a study",
        "de": "Angesehen, welche Regeln auf eine Studie zutrafen",
    },
    "study.rules-again": {"en": "Rules asked again", "de": "Regeln erneut geprüft"},
    "study.search": {"en": "Studies searched", "de": "Studien gesucht"},
    "study.view": {"en": "Images looked at", "de": "Bilder angesehen"},
    "waiting.list": {"en": "What waits for release looked through", "de": "Auf Freigabe Wartendes durchgesehen"},
    "waiting.reject": {"en": "Release refused", "de": "Freigabe abgelehnt"},
    "waiting.release": {"en": "Released by hand", "de": "Von Hand freigegeben"},
    "waiting.view": {"en": "Picture of what waits looked at", "de": "Bild von Wartendem angesehen"},
}


def action_words(action: str, language: Language) -> str:
    """Return what an act is called; its code where it has no words."""
    return ACTIONS.get(action, {}).get(language, action)
