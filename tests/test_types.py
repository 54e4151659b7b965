"""Foreign text in sentences: printable, told apart, and short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnas.types import listed, shown

ANY = st.text(st.characters())  # with surrogates, which stand for bytes of a file name that are no UTF-8


@given(ANY)
def test_what_is_shown_is_printable_and_utf_8(text: str) -> None:
    assert shown(text).isprintable()
    shown(text).encode()


@given(ANY, ANY)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ankle boot", "Ankle boot"),
        ("naïve 猫", "naïve 猫"),
        ("<script>", "<script>"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("caf\udce9", "caf\\udce9"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\\nb", "a\\\\nb"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_list_names_the_first_and_counts_the_rest() -> None:
    assert listed([]) == ""
    assert listed(["a", "b\n"]) == "a, b\\n"
    assert listed(range(5)) == "0, 1, 2, 3, 4"
    assert listed(range(6)) == "0, 1, 2, 3, 4 and 1 more"
    assert listed(range(6), most=2) == "0, 1 and 4 more"
