"""The same person is found again behind slips, other formats and swapped names; twins and namesakes are not."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from referrals.matching import agreement, match_keys
from referrals.names import sound
from referrals.submission import Address, Contact, Person, SafePhone

SECRET = b"synthetic"
MARIA = Person(
    person_id="P-1",
    given_name="Maria Elena",
    family_name="Gutierrez",
    birth_date="1984-03-09",
    phone="+1 (510) 555-0142",
    address=Address(line="12 North Oak Street, Apt 4", city="Oakland", state="CA", postal_code="94607-1234"),
)


def other(**changes: Any) -> Person:
    return structs.replace(MARIA, person_id="X-9", **changes)


def found(one: Person, two: Person) -> bool:
    """Whether a sender would hear of it: a key in common, then the comparison."""
    return (
        bool(set(match_keys(one, SECRET)) & set(match_keys(two, SECRET))) and agreement(one, two) is not None
    )


SAME: dict[str, dict[str, Any]] = {
    "nothing changed": {},
    "accents and case": {"given_name": "MARÍA ELENA", "family_name": "Gutiérrez"},
    "only the first given name": {"given_name": "Maria"},
    "given and family name the other way round": {"given_name": "Gutierrez", "family_name": "Maria Elena"},
    "two family names": {"family_name": "Gutierrez Lopez"},
    "hyphenated": {"family_name": "Gutierrez-Lopez"},
    "a slip in the family name": {"family_name": "Guttierrez"},
    "two letters swapped": {"family_name": "Gutierrze"},
    "another phone format": {"phone": "510.555.0142"},
    "no phone, another address": {"phone": None, "address": Address(line="9 Elm Rd", postal_code="95201")},
    "another phone and address": {
        "phone": "209 555 0111",
        "address": Address(line="9 Elm Rd", postal_code="95201"),
    },
    "day and month swapped": {"birth_date": "1984-09-03"},
    "a digit of the birth date": {"birth_date": "1984-03-19"},
    "the street spelled otherwise": {"address": Address(line="12 N. Oak St #4", postal_code="94607")},
    "neither phone nor address": {"phone": None, "address": None},
}
OTHERS: dict[str, dict[str, Any]] = {
    "a twin": {"given_name": "Rosa"},
    "a twin with a second name": {"given_name": "Maria Isabel"},
    "a twin brother": {"given_name": "Mario Elena"},
    "a child at the same address": {"given_name": "Maria Elena", "birth_date": "2010-03-09"},
    "a namesake born on another day, elsewhere": {
        "birth_date": "1984-03-19",
        "phone": "209 555 0111",
        "address": Address(line="9 Elm Rd", postal_code="95201"),
    },
    "another family name": {"family_name": "Okafor"},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_is_the_same_person(changes: dict[str, Any]) -> None:
    assert found(MARIA, other(**changes)) and found(other(**changes), MARIA)


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_is_another_person(changes: dict[str, Any]) -> None:
    assert agreement(MARIA, other(**changes)) is None and agreement(other(**changes), MARIA) is None


def test_a_brother_and_a_sister_with_names_alike_are_two() -> None:
    he, she = other(given_name="Andres", gender="male"), other(given_name="Andrex", gender="female")
    assert agreement(he, she) is None
    assert agreement(he, structs.replace(she, gender="male")) is not None


def test_the_agreement_names_fields_and_no_value() -> None:
    made = agreement(MARIA, other(family_name="Guttierrez", phone="209 555 0111"))
    assert made is not None
    assert (made.same, made.alike) == (("given_name", "birth_date", "address"), ("family_name",))
    assert made.differing == ("phone",) and made.score == 83
    assert not any(word in str(made) for word in ("Maria", "Gut", "1984", "555", "Oak"))


def test_a_phone_of_the_contact_list_counts_and_one_that_stands_for_none_does_not() -> None:
    safe = other(phone=None, contact=Contact(phones=(SafePhone(number="5105550142"),)))
    made = agreement(MARIA, safe)
    assert made is not None and "phone" in made.same
    nobody = agreement(other(phone="000-000-0000"), structs.replace(MARIA, phone="(000) 000 0000"))
    assert nobody is not None and "phone" not in nobody.same


@pytest.mark.parametrize(
    ("one", "two"), [("catherine", "katherine"), ("smith", "smyth"), ("philip", "philipp")]
)
def test_words_that_sound_alike_share_a_key(one: str, two: str) -> None:
    assert sound(one) == sound(two)


def test_keys_depend_on_the_secret_and_hold_nothing_else() -> None:
    assert not set(match_keys(MARIA, b"one")) & set(match_keys(MARIA, b"two"))
    assert match_keys(MARIA, SECRET) == match_keys(other(), SECRET)
    assert len(match_keys(MARIA, SECRET)) == 4


letters = st.text(string.ascii_lowercase, min_size=5, max_size=12)


@st.composite
def slipped(draw: st.DrawFn) -> tuple[str, str]:
    """A name and the same with one letter lost, doubled or exchanged with the next; not in its first or last place."""
    name = draw(letters)
    place = draw(st.integers(1, len(name) - 3))
    kind = draw(st.sampled_from(["lost", "doubled", "exchanged"]))
    if kind == "lost":
        return name, name[:place] + name[place + 1 :]
    if kind == "doubled":
        return name, name[:place] + name[place] + name[place:]
    return name, name[:place] + name[place + 1] + name[place] + name[place + 2 :]


@given(slipped())
def test_one_slip_in_a_name_hides_nobody(names: tuple[str, str]) -> None:
    whole, wrong = names
    assert found(other(family_name=whole), other(family_name=wrong))
    assert found(other(given_name=whole, phone=None), other(given_name=wrong, phone=None))


@given(letters, letters)
def test_swapped_names_hide_nobody(given_name: str, family_name: str) -> None:
    straight = other(given_name=given_name, family_name=family_name)
    assert found(straight, other(given_name=family_name, family_name=given_name))


real_numbers = st.from_regex(r"[2-9]\d{2}555\d{4}", fullmatch=True).filter(lambda d: len(set(d)) > 1)
phone_shapes = st.sampled_from(["{}{}{}", "({}) {}-{}", "+1 {}.{}.{}", "1-{}-{}-{}", " {} {} {} "])


@given(real_numbers, phone_shapes, phone_shapes)
def test_a_phone_is_the_same_in_every_format(digits: str, one: str, two: str) -> None:
    parts = (digits[:3], digits[3:6], digits[6:])
    made = agreement(other(phone=one.format(*parts)), other(phone=two.format(*parts)))
    assert made is not None and "phone" in made.same


def test_a_number_of_one_digit_stands_for_no_phone() -> None:
    made = agreement(other(phone="555-555-5555"), other(phone="5555555555"))
    assert made is not None and "phone" not in made.same


text = st.none() | st.text(max_size=40)
anybody = st.builds(
    Person,
    person_id=st.just("P"),
    given_name=st.text(min_size=1, max_size=30),
    family_name=st.text(min_size=1, max_size=30),
    birth_date=st.dates().map(str),
    phone=st.none() | st.text(max_size=40),
    address=st.none()
    | st.builds(Address, line=st.none() | st.text(max_size=60), postal_code=st.none() | st.text(max_size=12)),
)


@given(anybody, anybody)
def test_whatever_is_written_is_compared_alike_in_both_directions(one: Person, two: Person) -> None:
    assert agreement(one, two) == agreement(two, one)
    assert len(match_keys(one, SECRET)) <= 6


@given(anybody, st.sampled_from(["Ada", "Bruno", "Chi"]), st.sampled_from(["Dolores", "Emeka", "Farid"]))
def test_twins_are_never_one(person: Person, one: str, two: str) -> None:
    assert agreement(structs.replace(person, given_name=one), structs.replace(person, given_name=two)) is None
