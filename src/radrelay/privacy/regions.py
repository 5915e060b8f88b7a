"""What regions are called in a privacy notice, English and German: the European Union, and countries by ISO 3166-1."""

from __future__ import annotations

from typing import Literal

_NAMED = """
EU the European Union|der Europäischen Union
AT Austria|Österreich
AU Australia|Australien
BE Belgium|Belgien
BG Bulgaria|Bulgarien
CA Canada|Kanada
CH Switzerland|der Schweiz
CY Cyprus|Zypern
CZ Czechia|Tschechien
DE Germany|Deutschland
DK Denmark|Dänemark
EE Estonia|Estland
ES Spain|Spanien
FI Finland|Finnland
FR France|Frankreich
GB the United Kingdom|dem Vereinigten Königreich
GR Greece|Griechenland
HR Croatia|Kroatien
HU Hungary|Ungarn
IE Ireland|Irland
IS Iceland|Island
IT Italy|Italien
JP Japan|Japan
LI Liechtenstein|Liechtenstein
LT Lithuania|Litauen
LU Luxembourg|Luxemburg
LV Latvia|Lettland
MT Malta|Malta
NL the Netherlands|den Niederlanden
NO Norway|Norwegen
NZ New Zealand|Neuseeland
PL Poland|Polen
PT Portugal|Portugal
RO Romania|Rumänien
SE Sweden|Schweden
SG Singapore|Singapur
SI Slovenia|Slowenien
SK Slovakia|der Slowakei
US the United States|den Vereinigten Staaten
"""
_NAMES = {line[:2]: tuple(line[3:].split("|")) for line in _NAMED.strip().split("\n")}


def region_in(language: Literal["en", "de"], region: str) -> str:
    """Return what stands after "in" for a region; its letters where it has no name here, nothing for none."""
    names = _NAMES.get(region)
    return region if names is None else names[language == "de"]
