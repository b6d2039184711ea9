"""The help: every guide and term is there, short and found, and every error leads to one."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from engine.spec.fields import settings_of
from engine.spec.methods import METHODS
from engine.spec.runspec import Training
from studio.commands import COMMANDS
from studio.guides import Guide, Term, guide, guides, search, term_named, term_of, terms, terms_in

ENGINE = Path(__file__).parents[2] / "engine"


def codes() -> set[str]:
    """Every `help` that an error of the engine names, and the usual one."""
    texts = (path.read_text(encoding="utf-8") for path in ENGINE.rglob("*.py"))
    return {found for text in texts for found in re.findall(r'\bhelp(?:: str ?)?=\s*"([a-z-]+)"', text)}


def test_every_error_leads_to_a_guide():
    assert [each for each in codes() | {"troubleshooting"} if guide(each) is None] == []


def test_no_guide_is_forgotten():
    there = {path.name.removesuffix(".md") for path in (files("assets") / "help").iterdir()}
    assert there == {each.id for each in guides()}


@pytest.mark.parametrize("each", guides(), ids=lambda each: each.id)
def test_a_guide_is_short_and_begins_with_its_title(each: Guide):
    assert each.text.startswith("# ") and each.title
    assert 50 < len(each.text.split()) < 350
    assert "TODO" not in each.text and "http" not in each.text


def test_keys_that_a_guide_names_exist():
    known = {keys for command in COMMANDS for keys in command.keys}
    named = {found for each in guides() for found in re.findall(r"`((?:Ctrl|Alt|F1)[^`]*)`", each.text)}
    assert named - {"Alt+Shift"} <= known


def test_the_glossary_has_sixty_terms_each_once_with_an_example():
    assert len(terms()) >= 60
    assert len({each.term.casefold() for each in terms()}) == len(terms())
    assert all(each.meaning.endswith((".", "?")) and each.example for each in terms())


@pytest.mark.parametrize("struct", [Training, *METHODS.values()], ids=lambda each: each.__name__)
def test_what_the_glossary_says_of_settings_is_of_settings_that_exist(struct):
    shown = set(settings_of(struct))
    assert shown & {name for each in terms() for name in each.settings} or not shown


def test_no_setting_of_the_glossary_is_made_up():
    known = {name for struct in (Training, *METHODS.values()) for name in settings_of(struct)}
    assert {name for each in terms() for name in each.settings} <= known
    rank = term_of("rank")
    assert rank is not None and rank.term == "Rank"


def test_a_search_finds_names_first_and_needs_every_word():
    found, named = search("memory")
    assert "memory" in found[0].title.casefold()
    assert named and all("memory" in f"{each.term} {each.meaning} {each.example}".casefold() for each in named)
    assert search("memory zebra") == ([], [])
    assert search("") == (list(guides()), list(terms()))
    assert isinstance(terms()[0], Term)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Learning rate", ["Learning rate"]),
        ("Gradients and activations", ["Gradient", "Activation"]),
        ("LoRA+ is LoRA with other knobs", ["LoRA+", "LoRA"]),
        ("A batch size of 4, and another batch size", ["Batch size"]),
        ("Weights trained", ["Weight"]),
        ("HELD-OUT ROWS", ["Held-out rows"]),
        ("Stepwise, tokenless, QLoRAs; un-rank", ["QLoRA"]),
        ("", []),
    ],
)
def test_terms_are_found_where_they_are_whole_words(words: str, found: list[str]):
    assert [each.term for each in terms_in(words)] == found


@pytest.mark.parametrize("each", terms(), ids=lambda each: each.term)
def test_every_term_is_found_by_its_own_name(each: Term):
    assert terms_in(f"What {each.term} means.") == (each,) and term_named(each.term) is each


def test_every_term_that_a_screen_names_is_in_the_glossary():
    texts = [path.read_text(encoding="utf-8") for path in (ENGINE.parent / "studio").rglob("*.py")]
    named = {found for text in texts for found in re.findall(r'term_named\("([^"]+)"\)', text)}
    settings = {found for text in texts for found in re.findall(r'term_of\("([^"]+)"\)', text)}
    assert {"Method", "Objective"} <= named and {term_named(each) for each in named} <= set(terms())
    assert None not in {term_of(each) for each in settings}


def test_what_a_guide_begins_with_is_whole_and_without_signs_of_markdown():
    for each in guides():
        assert len(each.lead) > 40 and each.lead[-1] in ".:", each.id
        assert not set("*`[]#") & set(each.lead) and not each.lead.startswith("- "), each.id
