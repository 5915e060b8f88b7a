"""What pictures and pages of a result say, in German and in English."""

from __future__ import annotations

import re
from collections.abc import Mapping

from radrelay.analysis.objects.order import RESEARCH, Language

_POINT = re.compile(r"(?<=\d)\.(?=\d)")
WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Brain perfusion", "Hirnperfusion"),
    "research": (
        RESEARCH,
        "Nur für Forschungszwecke, kein zertifiziertes Medizinprodukt",
    ),
    "slice": ("Slice {n} of {of}", "Schicht {n} von {of}"),
    "mean": ("Mean image", "Mittelbild"),
    "lesions": ("Core and Tmax > {late:g} s", "Kern und Tmax > {late:g} s"),
    "core": ("Core", "Infarktkern"),
    "core-ct": ("Core: CBF < {share} % within Tmax > {late:g} s", "Infarktkern: CBF < {share} % in Tmax > {late:g} s"),
    "core-mr": ("Core: ADC < {adc:g} µm²/s", "Infarktkern: ADC < {adc:g} µm²/s"),
    "late": ("Tmax > {limit:g} s", "Tmax > {limit:g} s"),
    "volumes": ("Volumes", "Volumina"),
    "mismatch": ("Mismatch volume", "Mismatch-Volumen"),
    "ratio": ("Mismatch ratio", "Mismatch-Quotient"),
    "intensity": ("Hypoperfusion intensity ratio", "Hypoperfusions-Intensitäts-Quotient"),
    "none": ("n/a", "entfällt"),
    "curves": ("Curves of the vessels", "Gefäßkurven"),
    "artery": ("Artery (AIF)", "Arterie (AIF)"),
    "vein": ("Vein (VOF)", "Vene (VOF)"),
    "motion": ("Motion", "Bewegung"),
    "shift": ("shift, mm", "Verschiebung, mm"),
    "turn": ("turn, °", "Drehung, °"),
    "not-corrected": ("Motion was not corrected", "Bewegung wurde nicht korrigiert"),
    "dropped": ("dropped", "verworfen"),
    "warnings": ("Warnings", "Hinweise"),
    "no-warnings": ("None", "Keine"),
    "constants": ("Method and constants", "Verfahren und Konstanten"),
    "partial": ("Partial-volume factor {n:.2f}", "Teilvolumen-Faktor {n:.2f}"),
    "oscillation-index": (
        "Block-circulant SVD, oscillation index {n:g}",
        "Blockzirkulante SVD, Oszillationsindex {n:g}",
    ),
    "fixed-threshold": ("Block-circulant SVD, threshold {n:g}", "Blockzirkulante SVD, Schwelle {n:g}"),
    "density": (
        "Density {density:g} g/mL, haematocrit factor {k:g}",
        "Dichte {density:g} g/mL, Hämatokritfaktor {k:g}",
    ),
    "normal": ("CBF of normal tissue {n:.1f} mL/100 g/min", "CBF gesunden Gewebes {n:.1f} mL/100 g/min"),
    "smallest": ("Clusters under {n:g} mL left out", "Bereiche unter {n:g} mL ausgelassen"),
    "patient-id": ("ID", "ID"),
    "born": ("born", "geb."),
    "study-date": ("study of", "Studie vom"),
    "cut-off-before-wash-out": (
        "The scan ends before wash-out (still {end_percent} % of the peak)",
        "Die Aufnahme endet vor dem Auswaschen (noch {end_percent} % des Gipfels)",
    ),
    "sampling-coarse": (
        "Images {interval_s} s apart: the core reads small",
        "Bilder {interval_s} s auseinander: Kern zu klein gemessen",
    ),
    "sampling-over-3-s": (
        "Images further apart than 3 s: the core reads small",
        "Bilder mehr als 3 s auseinander: Kern zu klein gemessen",
    ),
    "partial-volume-over-2": ("Partial-volume factor {factor} is over 2", "Teilvolumen-Faktor {factor} über 2"),
    "slab-under-8-cm": ("Only {slab_mm} mm of the head were scanned", "Nur {slab_mm} mm des Kopfes aufgenommen"),
    "much-motion": (
        "Much motion: up to {most_mm} mm and {most_deg}°",
        "Viel Bewegung: bis {most_mm} mm und {most_deg}°",
    ),
    "frames-dropped": ("Time points dropped: {frames}", "Verworfene Zeitpunkte: {frames}"),
    "artery-far-from-expected": (
        "The artery lies far from where it is expected",
        "Die Arterie liegt nicht, wo sie zu erwarten ist",
    ),
    "vein-not-found": ("No vein was found", "Keine Vene gefunden"),
    "two-boluses": (
        "A second bolus at {second_s} s: the first alone is analysed",
        "Zweiter Bolus bei {second_s} s: nur der erste ausgewertet",
    ),
    "gantry-tilt": ("The gantry was tilted by {degrees}°", "Die Gantry war um {degrees}° gekippt"),
    "images-left-out": ("Images that could not be read: {images}", "Nicht lesbare Bilder: {images}"),
    "images-missing": ("Images that are missing: {images}", "Fehlende Bilder: {images}"),
    "slices-unsteady": (
        "Images of one slice lie up to {most_mm} mm apart",
        "Bilder einer Schicht liegen bis {most_mm} mm auseinander",
    ),
    "no-frame-of-reference": (
        "The images name no frame of reference",
        "Die Bilder nennen kein Bezugssystem",
    ),
    "diffusion-elsewhere": (
        "Diffusion elsewhere, or not of the whole slab: no core",
        "Diffusion liegt anderswo oder deckt nicht alles ab: kein Kern",
    ),
    "no-diffusion": ("No diffusion images: no core", "Keine Diffusionsbilder: kein Kern"),
    "gap-in-time": ("There is a gap in the images' times", "Lücke in den Aufnahmezeiten"),
}


class _Known(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def say(language: Language, key: str, **facts: object) -> str:
    """Return a text in a language, with its numbers; a key without words is returned as it is."""
    said = WORDS.get(key)
    if said is None:
        return key
    return written(language, said[language == "de"].format_map(_Known(facts)))


def written(language: Language, text: str) -> str:
    """Return a text with its numbers as a language writes them: with a comma in German."""
    return _POINT.sub(",", text) if language == "de" else text


def number(language: Language, value: float, digits: int = 1) -> str:
    """Return a number as it is written in a language."""
    return written(language, f"{value:.{digits}f}")
