"""Finding by a few letters: whatever has them in order is found, nothing else, and the likeliest comes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.fuzzy import best, score

LETTERS = st.text("abc -", max_size=12)


def in_order(query: str, text: str) -> bool:
    """An independent look: each letter of the query is found behind the one before."""
    rest = iter(text.casefold())
    return all(letter in rest for letter in query.casefold() if not letter.isspace())


@given(LETTERS, LETTERS)
def test_exactly_what_has_the_letters_in_order_is_found(query: str, text: str):
    assert (score(query, text) is not None) == in_order(query, text)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_text_is_found_by_any_part_of_itself_whatever_the_script(before: str, part: str, after: str):
    text = before + part + after
    if in_order(part, text):  # folding may change the number of letters of some scripts
        assert score(part, text) is not None


@pytest.mark.parametrize(
    "query,names,first",
    [
        ("sup", ["a superb run", "support", "s-u-p"], "support"),
        ("rd", ["hard", "run of dataset"], "run of dataset"),
        ("run 2", ["run 12", "run 2", "run of 2"], "run 2"),
        ("PAUSE", ["This run: Pause", "please use"], "This run: Pause"),
    ],
    ids=["prefix", "starts of words", "a phrase", "case"],
)
def test_the_likeliest_comes_first(query: str, names: list[str], first: str):
    assert best(query, names, str, 3)[0] == first


def test_without_a_query_the_order_stays_and_the_limit_holds():
    assert best("", ["b", "a", "c"], str, 2) == ["b", "a"]
