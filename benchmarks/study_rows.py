"""Rows of studies as a busy site has them: names in several scripts with common and rare ones, dates, modalities."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from radrelay.archive.folding import folded_name, name_order, searched_text, spellings_text
from radrelay.archive.sort_key import sort_key

ORGANISATION = uuid.UUID(int=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
FIRST_DAY = date(2006, 1, 1)
DAYS = (date(2026, 6, 1) - FIRST_DAY).days

FAMILIES = [
    "Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz", "Hoffmann",
    "Schäfer", "Koch", "Bauer", "Richter", "Klein", "Wolf", "Schröder", "Neumann", "Schwarz", "Zimmermann",
    "Braun", "Krüger", "Hofmann", "Hartmann", "Lange", "Schmitt", "Werner", "Krause", "Meier", "Lehmann",
    "Schmid", "Schulze", "Maier", "Köhler", "Herrmann", "König", "Walter", "Mayer", "Huber", "Kaiser",
    "Fuchs", "Peters", "Lang", "Scholz", "Möller", "Weiß", "Jung", "Hahn", "Schubert", "Vogel", "Friedrich",
    "Keller", "Günther", "Frank", "Berger", "Winkler", "Roth", "Beck", "Lorenz", "Baumann", "Franke",
    "Albrecht", "Schuster", "Simon", "Ludwig", "Böhm", "Winter", "Kraus", "Martin", "Schumacher", "Krämer",
    "Vogt", "Stein", "Jäger", "Otto", "Sommer", "Groß", "Seidel", "Heinrich", "Brandt", "Haas", "Schreiber",
    "Graf", "Schulte", "Dietrich", "Ziegler", "Kuhn", "Kühn", "Pohl", "Engel", "Horn", "Busch", "Bergmann",
    "Thomas", "Voigt", "Sauer", "Arnold", "Wolff", "Pfeiffer", "Smith", "Johnson", "Williams", "Brown",
    "Jones", "Garcia", "Miller", "Davis", "Rodriguez", "Martinez", "Hernandez", "Lopez", "Yılmaz", "Kaya",
    "Demir", "Çelik", "Şahin", "Öztürk", "Nowak", "Kowalski", "Wiśniewski", "Wójcik", "Kowalczyk",
    "Zieliński", "Nguyễn", "Trần", "Lê", "Dvořák", "Novák", "Svoboda", "Andersson",
]  # fmt: skip
GIVEN = [
    "Hans", "Peter", "Anna", "Maria", "Jörg", "Jürgen", "Ursula", "Karin", "Sabine", "Thomas", "Michael",
    "Andreas", "Petra", "Monika", "Stefan", "Christian", "Martin", "Susanne", "Claudia", "Frank", "Klaus",
    "Wolfgang", "Günter", "Renate", "Helga", "Brigitte", "Heike", "Martina", "Lukas", "Leon", "Finn",
    "Emma", "Mia", "Hannah", "Sophie", "Lena", "Björn", "Søren", "Zoë", "René", "Éva", "Łukasz", "Ayşe",
    "Mehmet", "Fatma", "Mustafa", "Elif", "John", "Mary", "Robert", "Jennifer", "José", "Lucía",
]  # fmt: skip
GREEK = [("Παπαδόπουλος", "Γεώργιος"), ("Οικονόμου", "Μαρία"), ("Νικολάου", "Δημήτρης"), ("Γεωργίου", "Ελένη")]
CYRILLIC = [("Иванов", "Сергей"), ("Смирнова", "Ольга"), ("Кузнецов", "Алексей"), ("Попова", "Наталья")]
ARABIC = [("الحسن", "محمد"), ("عبد الله", "فاطمة"), ("الأحمد", "علي"), ("القاسم", "زينب")]
JAPANESE_FAMILY = [
    ("Yamada", "山田", "やまだ"), ("Sato", "佐藤", "さとう"), ("Suzuki", "鈴木", "すずき"),
    ("Takahashi", "高橋", "たかはし"), ("Tanaka", "田中", "たなか"), ("Watanabe", "渡辺", "わたなべ"),
    ("Ito", "伊藤", "いとう"), ("Nakamura", "中村", "なかむら"), ("Kobayashi", "小林", "こばやし"),
    ("Kato", "加藤", "かとう"), ("Yoshida", "吉田", "よしだ"), ("Yamamoto", "山本", "やまもと"),
]  # fmt: skip
JAPANESE_GIVEN = [
    ("Tarou", "太郎", "たろう"), ("Hanako", "花子", "はなこ"), ("Kenji", "健二", "けんじ"), ("Yuki", "由紀", "ゆき"),
    ("Haruto", "陽翔", "はると"), ("Sakura", "桜", "さくら"), ("Akira", "明", "あきら"), ("Misaki", "美咲", "みさき"),
]  # fmt: skip
KOREAN = [("Kim", "김"), ("Lee", "이"), ("Park", "박"), ("Choi", "최"), ("Jung", "정")]
KOREAN_GIVEN = [("Heedong", "희동"), ("Minjun", "민준"), ("Seoyeon", "서연"), ("Jiwoo", "지우")]
CHINESE = [("Wang", "王"), ("Li", "李"), ("Zhang", "张"), ("Liu", "刘"), ("Chen", "陈"), ("Yang", "杨")]
CHINESE_GIVEN = [("Xiaodong", "小东"), ("Wei", "伟"), ("Fang", "芳"), ("Xiuying", "秀英"), ("Jianguo", "建国")]
SYLLABLES = [
    "ba", "be", "bo", "da", "der", "fel", "gar", "hau", "ken", "lin", "mar", "nie", "ost", "rei", "sal",
    "tor", "ul", "ven", "wil", "zan",
]  # fmt: skip
MODALITIES = ["CR", "CT", "DX", "MR", "US", "XA", "MG", "NM", "PT", "ES", "OT"]
SHARES = [25, 24, 15, 14, 12, 3, 3, 1.5, 1.5, 0.5, 0.5]
DESCRIPTIONS = [
    "CT Schädel nativ", "CT Thorax mit KM", "CT Abdomen", "MRT Knie links",
    "MRT Kopf", "Thorax p.a.", "Hüfte rechts a.p.", "Sonographie Abdomen",
    "Mammographie beidseits", "LWS in 2 Ebenen", "Angiographie Becken-Bein", "PET-CT Ganzkörper",
    "Herz Echo", "Röntgen Hand", "MRT LWS", "CT Wirbelsäule",
    "Knochenszintigraphie", "DSA Carotis", "Schulter links",
]  # fmt: skip

_SHARES = list(accumulate(SHARES))
_CUMULATED = list(accumulate(1 / (rank + 3) for rank in range(len(FAMILIES))))


@dataclass(frozen=True, slots=True)
class StudyRow:
    """The columns of one study, and its modalities."""

    columns: dict[str, object]
    modality: str


def person(rng: random.Random) -> str:
    """Return a person name as a device writes it."""
    kind = rng.random()
    if kind < 0.70:
        return f"{rng.choices(FAMILIES, cum_weights=_CUMULATED)[0]}^{rng.choice(GIVEN)}"
    if kind < 0.85:
        family = "".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))).capitalize()
        return f"{family}^{rng.choice(GIVEN)}"
    if kind < 0.91:
        groups = zip(rng.choice(JAPANESE_FAMILY), rng.choice(JAPANESE_GIVEN), strict=True)
        return "=".join(f"{family}^{given}" for family, given in groups)
    if kind < 0.94:
        (latin, name), (latin_given, name_given) = rng.choice(CHINESE), rng.choice(CHINESE_GIVEN)
        return f"{latin}^{latin_given}={name}^{name_given}"
    if kind < 0.96:
        (latin, name), (latin_given, name_given) = rng.choice(KOREAN), rng.choice(KOREAN_GIVEN)
        return f"{latin}^{latin_given}={name}^{name_given}"
    family_name, given_name = rng.choice(rng.choice((GREEK, CYRILLIC, ARABIC)))
    return f"{family_name}^{given_name}"


def rows(count: int, seed: int = 7) -> Iterator[StudyRow]:
    """Generate studies in the order of their sort keys."""
    rng = random.Random(seed)
    people = [
        (person(rng), f"{n:07d}", FIRST_DAY - timedelta(days=rng.randint(200, 30000))) for n in range(count // 3 + 1)
    ]
    spread = DAYS / count
    for number in range(count):
        name, patient_id, born = people[rng.randrange(len(people))]
        day = FIRST_DAY + timedelta(days=int(number * spread))
        second = int((number * spread) % 1 * 86400)
        moment = time(second // 3600, second // 60 % 60, second % 60)
        modality = rng.choices(MODALITIES, cum_weights=_SHARES)[0]
        yield StudyRow(_columns(rng, number, name, patient_id, born, day, moment, modality), modality)


def _columns(
    rng: random.Random, number: int, name: str, patient_id: str, born: date, day: date, moment: time, modality: str
) -> dict[str, object]:
    description = rng.choice(DESCRIPTIONS)
    accession = f"A{number:09d}"
    received = datetime.combine(day, moment, UTC)
    study_uid = f"1.2.276.0.7230010.3.1.2.{rng.getrandbits(64)}.{number}"
    return {
        "id": uuid.UUID(int=(number << 64) | rng.getrandbits(62)),
        "organisation_id": ORGANISATION,
        "study_uid": study_uid,
        "sort_key": sort_key(day, moment),
        "search_text": searched_text(description, patient_id, accession),
        "patient_id": uuid.UUID(int=int(patient_id)),
        "patient_id_value": patient_id,
        "patient_issuer": "HOSPITAL",
        "patient_name": name,
        "patient_name_folded": folded_name(name),
        "patient_name_order": name_order(name),
        "patient_spellings": spellings_text(name),
        "patient_birth_date": born,
        "patient_sex": "MF"[int(patient_id) % 2],  # one person has one
        "study_date": day,
        "study_time": moment,
        "accession_number": accession,
        "study_id_value": str(number),
        "description": description,
        "referring_physician": "Weiß^Eva",
        "institution": "Klinikum",
        "modalities": modality,
        "series_count": 3,
        "instance_count": 300,
        "bytes": 150_000_000,
        "attributes": _attributes(name, patient_id, study_uid, accession, description, day),
        "state": "complete",
        "quiet_at": None,
        "first_received_at": received,
        "last_received_at": received,
        "expires_at": None if rng.random() < 0.5 else NOW + timedelta(hours=rng.randint(1, 5000)),
        "ceiling_at": None,
        "held": False,
    }


def _attributes(name: str, patient_id: str, study_uid: str, accession: str, description: str, day: date) -> str:
    """Return DICOM JSON of the study level; none of these values needs escaping."""
    return (
        '{"00080005":{"vr":"CS","Value":["ISO_IR 192"]},'
        f'"00080020":{{"vr":"DA","Value":["{day.year:04}{day.month:02}{day.day:02}"]}},'
        f'"00080050":{{"vr":"SH","Value":["{accession}"]}},'
        '"00080090":{"vr":"PN","Value":[{"Alphabetic":"Weiß^Eva"}]},'
        f'"00081030":{{"vr":"LO","Value":["{description}"]}},'
        f'"00100010":{{"vr":"PN","Value":[{{"Alphabetic":"{name}"}}]}},'
        f'"00100020":{{"vr":"LO","Value":["{patient_id}"]}},'
        f'"0020000D":{{"vr":"UI","Value":["{study_uid}"]}}}}'
    )
