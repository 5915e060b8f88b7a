"""Names that may be one person's: the same in another spelling, to be looked at, or another's."""

from __future__ import annotations

from itertools import combinations
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.importer.folding import compare, same_keys

SAME = [
    ("Müller^Änne", "MUELLER^AENNE", "spelling"),
    ("Müller^Änne", "Muller^Anne", "spelling"),
    ("Mueller^Anna", "Muller^Anna", "spelling"),
    ("Weiß^Uwe", "WEISS^UWE", "spelling"),
    ("Öztürk^Gül", "OEZTUERK^GUEL", "spelling"),
    ("Jørgensen^Søren", "Joergensen^Soeren", "spelling"),
    ("O'Neill^Seán", "ONEILL^SEAN", "spelling"),
    ("Schmidt^Prof. Dr. Anna", "Schmidt^Anna^^Prof. Dr. med.", "spelling"),
    ("von der Heide^Jan", "Heide^Jan^^von der", "spelling"),
    ("Schmidt, Anna", "SCHMIDT^ANNA", "spelling"),
    ("Müller-Lüdenscheidt^Karl-Heinz", "Luedenscheidt Mueller^Karlheinz", "double-name"),
    ("Schmidt^Anna^Maria", "SCHMIDT^ANNA-MARIA", "spelling"),
    ("Anna^Schmidt", "Schmidt^Anna", "order"),
    ("Anna Schmidt", "SCHMIDT^ANNA", "order"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ﾔﾏﾀﾞ^ﾀﾛｳ", "spelling"),
    ("Ivanov^Ivan=Иванов^Иван", "ИВАНОВ^ИВАН", "spelling"),
    ("Dr. Schmidt, Anna", "Schmidt^Anna", "spelling"),
    ("Dipl.-Ing. Huber^Max", "Huber^Max^^Mag.", "spelling"),
    ("Univ. Prof. Dr. med. dent. Huber^Max", "Univ. Huber^Max", "spelling"),
    ("Mme Diop^Awa", "Diop^Awa^^Dame", "spelling"),
    ("Ing^Kim Lee", "ING^KIM-LEE", "spelling"),
    ("Anna Herr", "Herr^Anna", "order"),
]
COMPATIBLE = [
    ("Bauer^Anna", "Baur^Anna", "slip"),
    ("Maier^Anna", "Mayer^Anna", "slip"),
    ("Schmidt^Anna^Maria", "Schmidt^Anna", "middle-names"),
    ("Anna Maria^Schmidt", "Schmidt^Anna", "middle-names"),
    ("Schmidt^Anna^M", "Schmidt^Anna Maria", "initials"),
    ("Schmidt^A.", "Schmidt^Anna", "initials"),
    ("Schmidt", "Schmidt^Anna", "given-unsaid"),
    ("Schmidt-Meier^Anna", "Schmidt^Anna", "part-of-double-name"),
    ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^太朗", "representations"),
    ("Yamada^Taro=山田^太郎", "Yamada^Tarou=山田^太郎", "representations"),
    ("山田^太郎", "Yamada^Tarou", "scripts"),
    ("Чайковский^Пётр^Ильич", "Tschaikowski^Pjotr", "transliteration"),
    ("Чайковский^Пётр", "Chaikovskii^Petr", "transliteration"),
    ("Чайковский^Пётр", "Čajkovskij^Pëtr", "transliteration"),
    ("Сергеева^Юлия", "Sergeyeva^Yuliya", "transliteration"),
    ("Шевченко^Григорій", "Shevchenko^Hryhorii", "transliteration"),
    ("Schmidt^Anna", "", "unsaid"),
    ("^^^Dr.", "Schmidt^Anna", "unsaid"),
    ("Herr Müller^Jörg", "Müller^Jörg", "part-of-double-name"),
    ("Rahman^Md Karim", "Rahman^Karim", "middle-names"),
    ("Ben^Med Ali", "Ben^Ali", "middle-names"),
    ("Ing^Kim Lee", "Lee^Kim", "middle-names"),
    ("Herr^Anna Maria", "Maria^Anna", "middle-names"),
    ("^Anna", "^ANNA", "family-unsaid"),
    ("^Anna^^Herr", "^Anna^^Frau", "family-unsaid"),
    ("^Anna", "Anna", "middle-names"),
]
OTHER = [
    ("Schmidt^Anna", "Meier^Berta", "names"),
    ("Schmidt^Anna", "Schmidt^Bernd", "names"),
    ("Schmidt^Anna", "Meier^Anna", "family-name"),
    ("Иванов^Иван", "Petrov^Ivan", "names"),
    ("山田^太郎", "鈴木^一郎", "names"),
    ("^Anna", "^Berta", "names"),
    ("Dame^Diop", "Sr^Diop", "family-name"),
]
TITLES = [
    "Dr",
    "Prof",
    "Mr",
    "Mme",
    "Pd",
    "Herr",
    "Frau",
    "Ing",
    "Med",
    "Nat",
    "Mag",
    "Md",
    "Dent",
    "Sir",
    "Dame",
    "Miss",
]
CASES = [
    *((one, other, "same", why) for one, other, why in SAME),
    *((one, other, "compatible", why) for one, other, why in COMPATIBLE),
    *((one, other, "other", why) for one, other, why in OTHER),
]
PARTS = [
    "Müller",
    "Mueller",
    "muller",
    "Weiß",
    "Anna",
    "Maria",
    "A",
    "Dr.",
    "Karl-Heinz",
    "山田",
    "やまだ",
    "Иван",
    "o'x",
    "",
]
NAMES = st.one_of(
    st.text(max_size=12),
    st.builds(
        lambda groups: "=".join("^".join(parts) for parts in groups),
        st.lists(st.lists(st.sampled_from(PARTS), max_size=3), min_size=1, max_size=3),
    ),
)


@pytest.mark.parametrize(("one", "other", "degree", "reason"), CASES)
def test_names_go_together_as_far_as_they_do(one: str, other: str, degree: str, reason: str) -> None:
    for found in (compare(one, other), compare(other, one)):
        assert (found.degree, found.reason) == (degree, reason)
    assert degree != "same" or same_keys(one) & same_keys(other)


def test_no_umlaut_is_spelt_at_the_end_of_a_word() -> None:
    for one, other in (("Noe", "No"), ("Zoe", "Zo"), ("Mae", "Ma"), ("Sue", "Su"), ("Hue", "Hu"), ("Koe", "Ko")):
        assert compare(f"{one}^Eva", f"{other}^Eva").degree == "compatible", one
        assert compare(f"Lee^{one}", f"Lee^{other}").degree != "same", one
    for one, other in (("Goethe", "Göthe"), ("Boes", "Bös"), ("Hü", "Hue"), ("Roehl", "Röhl")):
        assert compare(f"{one}^Eva", f"{other}^Eva").degree == "same", one


def test_whoever_is_called_like_a_title_is_nobody_else() -> None:
    """A component's last word is a name, and two who are of no family are not of one."""
    for one, other in combinations(TITLES, 2):
        for given_name in ("Anna", "Kim Lee", "Lee"):
            assert compare(f"{one}^{given_name}", f"{other}^{given_name}").degree != "same", (one, other)
            assert compare(f"{one}^{given_name}", f"Lee^{given_name}").degree != "same", one
            assert compare(f"{one}^{given_name}", f"{given_name}").degree != "same", one
            assert compare(f"{one}^{given_name}", f"^{given_name}").degree != "same", one
        assert compare(f"Lee^{one}", f"Lee^{other}").degree != "same", (one, other)
        assert compare(f"Lee^{one}", f"Lee^{one.upper()}").degree == "same", one
        assert compare(f"{one}^Kim", f"{one.upper()}^KIM^^{other}").degree == "same", (one, other)


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES)
def test_neither_name_comes_first(one: str, other: str) -> None:
    assert compare(one, other) == compare(other, one)
    assert compare(one, other).degree != "same" or same_keys(one) & same_keys(other)


@settings(max_examples=100, deadline=None)
@given(NAMES)
def test_a_name_is_its_own_in_any_case(name: str) -> None:
    found = compare(name, name)
    assert found.degree == "same" or found.reason in ("unsaid", "family-unsaid", "given-unsaid")
    if name.isascii() and "=" not in name and found.degree == "same":
        assert compare(name, name.upper()).degree == "same"
        assert compare(name.lower(), name.upper()).degree == "same"


def test_names_made_to_take_long_do_not() -> None:
    hostile = [f"{'a ' * count}{end}^{'mue ' * count}" for count in (23, 2000) for end in "bc"]
    began = process_time()
    assert compare(hostile[0], hostile[1]).degree != "same"
    assert compare(hostile[2], hostile[3]).degree != "same"
    assert compare(hostile[2], hostile[2].upper()).degree == "same"
    assert process_time() - began < 1
