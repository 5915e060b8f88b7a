"""A search finds a name however it is typed."""

from __future__ import annotations

import pytest

from radrelay.dicom.names import fold, query_forms, search_forms

SAME = [
    ["muller", "mueller", "MÜLLER", "Müller", "Mu\u0308ller", "MUELLER"],
    ["Weiß", "WEISS", "weiss", "WEIẞ"],
    ["Παπαδόπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ", "παπαδοπουλοσ", "ΠΑΠΑΔΌΠΟΥΛΟΣ"],
    ["ヤマダ", "やまだ", "ﾔﾏﾀﾞ"],
    ["أحمد", "احمد", "أَحْمَد", "احـمد"],
    ["فاطمة", "فاطمه"],
    ["홍길동", "홍길동"],
    ["Buc Jérôme", "buc^jerome", "BUC, JEROME"],
    ["Łódź", "lodz"],
    ["Ｗａｎｇ", "wang"],
]


@pytest.mark.parametrize("names", SAME)
def test_spellings_of_a_name_find_each_other(names: list[str]) -> None:
    for stored in names:
        for typed in names:
            assert set(search_forms(stored)) & set(query_forms(typed)), (stored, typed)


def test_umlauts_are_found_by_one_form_of_the_query() -> None:
    for typed in ("muller", "mueller", "Müller"):
        for stored in ("Müller", "MUELLER"):
            assert fold(typed) in search_forms(stored), (typed, stored)


def test_groups_and_components_become_words() -> None:
    assert fold("Yamada^Tarou=山田^太郎=ヤマダ^タロウ") == "yamada tarou 山田 太郎 やまだ たろう"


def test_different_names_stay_different() -> None:
    assert not set(search_forms("Maier")) & set(query_forms("Mayer"))
    assert fold("か") != fold("が")


def test_nothing_folds_to_nothing() -> None:
    assert fold("") == fold("^^=") == ""
    assert query_forms("^") == [""]
