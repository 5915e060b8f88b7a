"""What `radrelay perfusion` says of a study, in German or English: why it is refused, or what was found.

English sentences are those of the refusals themselves; the German ones are those of the pages, to the letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radrelay.analysis.objects import Language
    from radrelay.analysis.study import Findings
    from radrelay.errors import RadrelayError

GERMAN: Mapping[str, str] = {
    "perfusion-no-series": "Es gibt keine Serie mit Bildern über die Zeit.",
    "perfusion-series-ambiguous": "Mehrere Serien könnten die Perfusion sein. Wählen Sie eine davon: {series}",
    "perfusion-series-unknown": "Diese Serie gibt es nicht.",
    "perfusion-several-studies": "Die Bilder gehören zu mehreren Patienten oder Studien.",
    "perfusion-mixed-orientation": (
        "Die Bilder der Serie liegen nicht in parallelen Ebenen oder sagen nicht, wo sie liegen."
    ),
    "perfusion-copies-differ": "Ein Bild kam zweimal unter derselben UID, mit verschiedenem Inhalt.",
    "perfusion-mosaic": (
        "Die Serie besteht aus Mosaiken, vielen Schichten in einem Bild. "
        "Senden Sie sie als einzelne oder Enhanced-Bilder."
    ),
    "perfusion-mixed-sizes": "Die Bilder der Serie sind unterschiedlich groß.",
    "perfusion-rescale-wrong": (
        "Die Werte sind keine Hounsfield-Einheiten: Steigung oder Achsenabschnitt fehlt oder ist falsch."
    ),
    "perfusion-rules-invalid": "Die Regeln des Hauses für Serien lassen sich nicht lesen.",
    "perfusion-bolus-lost": (
        "Während das Kontrastmittel ankommt, fehlen drei Zeitpunkte in Folge, oder sie sind unbrauchbar."
    ),
    "perfusion-frames-lost": "Zu viele Zeitpunkte fehlen, sind beschädigt oder durch Bewegung unbrauchbar.",
    "perfusion-no-contrast": (
        "In den Arterien kommt kein Kontrastmittel an: Die Injektion misslang, oder die Aufnahme hat es verpasst."
    ),
    "perfusion-not-a-head": "Die Bilder zeigen keinen Kopf.",
    "perfusion-not-finite": "Bilder sind beschädigt: Sie enthalten Werte, die keine Zahlen sind.",
    "perfusion-place-outside": ("Eine Stelle, die für Arterie oder Vene gewählt wurde, liegt außerhalb der Bilder."),
    "perfusion-slices-missing": "Im aufgenommenen Volumen fehlen Schichten.",
    "perfusion-times-disagree": "Die Attribute, die die Aufnahmezeit nennen, widersprechen einander.",
    "perfusion-times-duplicate": "Mehrere Bilder einer Schicht tragen dieselbe Aufnahmezeit.",
    "perfusion-times-unordered": "Die Aufnahmezeiten steigen nicht von einem Zeitpunkt zum nächsten.",
    "perfusion-too-few-frames": "Es sind weniger als 20 Zeitpunkte.",
    "perfusion-too-short": "Die Aufnahme ist kürzer als 40 Sekunden.",
}
FACTS: Mapping[str, tuple[str, str]] = {
    "peak": ("peak", "Gipfel"), "least": ("at least", "mindestens"), "frames": ("time points", "Zeitpunkte"),
    "slice": ("slice", "Schicht"), "span_s": ("seconds", "Sekunden"), "least_s": ("at least", "mindestens"),
    "most_s": ("seconds apart", "Sekunden auseinander"), "lost_percent": ("lost, per cent", "verloren, Prozent"),
    "second_bolus_s": ("a second bolus at second", "zweiter Bolus bei Sekunde"),
    "from_s": ("from second", "von Sekunde"), "to_s": ("to second", "bis Sekunde"),
    "area_cm2": ("largest slice, cm²", "größte Schicht, cm²"),
    "skull_percent": ("bone around it, per cent", "Knochen ringsum, Prozent"),
    "gap_mm": ("gap, mm", "Lücke, mm"), "usual_mm": ("usual, mm", "üblich, mm"), "files": ("files", "Dateien"),
    "images": ("images", "Bilder"), "series": ("series", "Serie"), "studies": ("studies", "Studien"),
    "patients": ("patients", "Patienten"),
    "slopes": ("slopes", "Steigungen"), "least_hu": ("darkest", "dunkelster Wert"),
    "apart_hu": ("HU apart", "HE auseinander"), "place": ("place", "Stelle"),
}  # fmt: skip


def refusal_in_words(error: RadrelayError, language: Language) -> str:
    """Return why a study is refused, with what was counted or measured."""
    german = language == "de"
    message = GERMAN.get(error.code, error.message).format_map(dict(error.facts)) if german else error.message
    told = [
        f"{FACTS[name][german] if name in FACTS else name} {_number(value, german)}"
        for name, value in error.facts.items() if str(value) not in message
    ]  # fmt: skip
    return f"{message} ({', '.join(told)})" if told else message


def _number(value: object, german: bool) -> str:
    return f"{value}".replace(".", ",") if german and isinstance(value, float) else f"{value}"


def in_words(found: Findings, language: Language) -> list[str]:
    """Return the volumes and warnings as lines."""
    from radrelay.analysis.objects.words import number, say  # noqa: PLC0415 -- loads what writes objects

    none = say(language, "none")

    def ml(volume: float | None) -> str:
        return none if volume is None else f"{number(language, volume)} mL"

    ratio = none if found.mismatch_ratio is None else number(language, found.mismatch_ratio)
    lines = [f"{say(language, 'core'):<20}{ml(found.core_ml)}"]
    lines += [f"{say(language, 'late', limit=float(limit)):<20}{ml(volume)}" for limit, volume in found.late_ml.items()]
    lines += [f"{say(language, 'mismatch'):<20}{ml(found.mismatch_ml)}", f"{say(language, 'ratio'):<20}{ratio}"]
    lines += [f"! {say(language, one.code, **one.facts)} ({one.code})" for one in found.warnings]
    return [*lines, say(language, "research")]
