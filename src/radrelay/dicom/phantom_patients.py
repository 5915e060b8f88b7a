"""Patients that do not exist, with names in the scripts that a hospital meets and the character sets devices use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class PhantomPatient:
    """A made-up person. `charset` are the terms of SpecificCharacterSet that the name is written in."""

    name: str
    patient_id: str
    birth_date: date
    sex: str
    charset: tuple[str, ...] = ("ISO_IR 192",)


PATIENTS = (
    PhantomPatient("Müller^Jörg", "PH-0001", date(1957, 3, 14), "M", ("ISO_IR 100",)),
    PhantomPatient("Weiß^Änne^^Dr.", "PH-0002", date(1984, 11, 2), "F", ("ISO_IR 100",)),
    PhantomPatient("Παπαδόπουλος^Γιώργος", "PH-0003", date(1949, 7, 30), "M", ("ISO_IR 126",)),
    PhantomPatient("Yamada^Tarou=山田^太郎=やまだ^たろう", "PH-0004", date(1971, 1, 9), "M", ("", "ISO 2022 IR 87")),
    PhantomPatient("Hong^Gildong=洪^吉洞=홍^길동", "PH-0005", date(1990, 5, 5), "M", ("", "ISO 2022 IR 149")),
    PhantomPatient("قباني^لنزار", "PH-0006", date(1963, 3, 21), "M", ("ISO_IR 127",)),
    PhantomPatient("Иванова^Мария", "PH-0007", date(1978, 12, 24), "F", ("ISO_IR 144",)),
    PhantomPatient("Wang^XiaoDong=王^小东", "PH-0008", date(2001, 10, 1), "M", ("GB18030",)),
    PhantomPatient("Łukasiewicz^Żaneta", "PH-0009", date(1966, 6, 17), "F", ("ISO_IR 101",)),
    PhantomPatient("Lefèvre^Zoë", "PH-0010", date(1995, 2, 28), "F", ("ISO_IR 192",)),
    PhantomPatient("שרון^דבורה", "PH-0011", date(1959, 9, 9), "F", ("ISO_IR 138",)),
    PhantomPatient("Schuster^Theodor", "PH-0012", date(1938, 8, 8), "M", ()),
)
