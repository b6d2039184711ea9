"""Columns mapped anew make a version of what was read, keep what was left out, and follow the recipe elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.data.fixing import fix, read_recipe, recipe_of, remake
from engine.data.importing import import_file
from engine.data.library import all_rows_in, hidden_in, read_bad, rows_in
from engine.data.merge import Part, merge
from engine.data.nouns import BadRow, Dataset, HiddenRow, Mapping, Record, Step
from engine.data.records import RECORDS, keeping, records_in
from engine.data.remapping import columns_of_source
from engine.data.steps import step_from, word_of
from engine.data.versions import delete, undo
from engine.spec.files import write_struct

TITLED = Mapping(schema="instruction", instruction="{title}: {question}", output="answer")
SWAPPED = Mapping(schema="instruction", instruction="answer", output="question")
REMAP = Step(do="remap", mapping=TITLED)


def rows(count: int = 30) -> list[dict[str, object]]:
    """Questions under titles; the one of row 5 has an address, row 9 has no answer, row 12 repeats row 11."""
    made = [
        {"title": f"part {n % 3}", "question": f"What is {n}?", "answer": f"It is {n}.", "note": None}
        for n in range(count)
    ]
    made[5]["answer"] = "Ask jane.roe@mail.org."
    made[9]["answer"] = ""
    made[12] = made[11]
    return made


def imported(folder: Path, lines: bool = True) -> Dataset:
    text = "\n".join(map(json.dumps, rows())) + "\nbroken" if lines else json.dumps(rows())
    (folder / "faq.json").write_text(text)
    return import_file(folder / "ds", folder / "faq.json")


def said(folder: Path, dataset: Dataset) -> list[tuple[str, ...]]:
    return [tuple(each.content for each in row.messages) for row in rows_in(folder / "ds" / dataset.id)]


@pytest.mark.parametrize("lines", [True, False], ids=["lines", "all on one line"])
def test_a_new_mapping_makes_a_version_of_the_same_records(tmp_path: Path, lines: bool) -> None:
    before = imported(tmp_path, lines)
    stood = said(tmp_path, before)
    made = fix(tmp_path / "ds", "faq", [REMAP])
    assert said(tmp_path, made) == [(f"part {int(q[8:-1]) % 3}: {q}", a) for q, a in stood]
    assert (made.parent, made.steps, made.mapping.instruction) == (before.id, (REMAP,), TITLED.instruction)
    assert made.imported_hash == before.hash and made.imported_mapping == before.mapping
    assert (made.rows, made.bad) == (29, before.bad) and said(tmp_path, before) == stood
    assert undo(tmp_path / "ds", made.id) == before


def test_what_was_left_out_stays_out_and_what_was_hidden_stays_hidden(tmp_path: Path) -> None:
    imported(tmp_path)
    made = fix(tmp_path / "ds", "faq", [step_from(each) for each in ("drop:rows:1-4", "hide:rows:1,6", "redact")])
    assert [row.line for row in hidden_in(tmp_path / "ds" / made.id)] == [5, 11]
    titled = fix(tmp_path / "ds", made.id, [REMAP])
    place = tmp_path / "ds" / titled.id
    assert (titled.rows, titled.hidden) == (made.rows, 2) and [row.line for row in hidden_in(place)] == [5, 11]
    assert [row.line for row in rows_in(place)] == [row.line for row in rows_in(tmp_path / "ds" / made.id)]
    assert ("part 2: What is 5?", "Ask [EMAIL].") in said(tmp_path, titled)
    assert titled.train_rows + titled.validation_rows == titled.rows
    shown = fix(tmp_path / "ds", titled.id, [Step(do="show")])
    assert [row.line for row in rows_in(tmp_path / "ds" / shown.id)] == [each for each in range(5, 31) if each != 10]


def test_a_record_that_was_bad_comes_in_when_the_new_mapping_can_use_it(tmp_path: Path) -> None:
    imported(tmp_path)
    again = fix(tmp_path / "ds", "faq", [Step(do="remap", mapping=Mapping(schema="text", text="question"))])
    assert (again.rows, again.bad, again.schema) == (30, 1, "text")
    assert [each.line for each in read_bad(tmp_path / "ds", again.id)] == [31]
    assert [row.text for row in rows_in(tmp_path / "ds" / again.id)][9] == "What is 9?"


def test_a_recipe_with_a_mapping_in_it_comes_to_the_same_hash_elsewhere(tmp_path: Path) -> None:
    imported(tmp_path)
    words = ("drop:duplicates", "remap", "hide:rows:2", "redact", "remap", "drop:rows:7")
    mapped = iter((TITLED, SWAPPED))
    steps = [Step(do="remap", mapping=next(mapped)) if each == "remap" else step_from(each) for each in words]
    made = fix(tmp_path / "ds", "faq", steps)
    write_struct(tmp_path / "recipe.json", recipe_of(made))
    again = remake(tmp_path / "elsewhere", read_recipe(tmp_path / "recipe.json"), tmp_path / "faq.json")
    assert (again.hash, again.id, again.steps) == (made.hash, made.id, made.steps)
    assert again.mapping == SWAPPED and made.hidden == 1


def test_the_version_stands_on_its_own_when_the_file_and_the_import_are_gone(tmp_path: Path) -> None:
    first = imported(tmp_path)
    made = fix(tmp_path / "ds", "faq", [step_from("drop:duplicates")])
    delete(tmp_path / "ds", first.id)
    (tmp_path / "faq.json").unlink()
    assert columns_of_source(tmp_path / "ds", "faq").names == ("title", "question", "answer", "note")
    assert fix(tmp_path / "ds", made.id, [REMAP]).rows == 28


def test_what_cannot_be_mapped_anew_is_explained(tmp_path: Path) -> None:
    first = imported(tmp_path)
    wrong = Mapping(schema="instruction", instruction="qestion", output="answer")
    with pytest.raises(DataError) as caught:
        fix(tmp_path / "ds", first.id, [Step(do="remap", mapping=wrong)])
    assert "question" in caught.value.card.actions[0].label
    with pytest.raises(DataError, match="Nothing would change"):
        fix(tmp_path / "ds", first.id, [Step(do="remap", mapping=first.mapping)])
    both = merge(tmp_path / "ds", [Part("faq"), Part("faq")], name="both")
    with pytest.raises(DataError, match="cannot be mapped anew"):
        fix(tmp_path / "ds", both.id, [REMAP])
    (tmp_path / "other").mkdir()
    one_line = imported(tmp_path / "other", lines=False)
    fewer = fix(tmp_path / "other" / "ds", one_line.id, [step_from("drop:rows:3")])
    with pytest.raises(DataError, match="after rows were left out"):
        fix(tmp_path / "other" / "ds", fewer.id, [REMAP])


def test_a_mapping_is_written_as_a_step_is_read() -> None:
    assert step_from(word_of(REMAP)) == REMAP
    with pytest.raises(DataError, match="no mapping"):
        step_from('remap:{"schema": "poem"}')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEPT = st.builds(
    Record, st.integers(1, 9), st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.text(max_size=5)
) | st.builds(BadRow, line=st.integers(1, 9), problem=st.text(), remedy=st.text(), column=st.none() | st.text())


@settings(max_examples=50)
@given(st.lists(KEPT, max_size=8))
def test_records_come_back_as_they_were_read(tmp_path_factory: pytest.TempPathFactory, given_: list) -> None:
    folder = tmp_path_factory.mktemp("kept")
    assert list(keeping(given_, folder)) == given_ == list(records_in(folder))
    assert (folder / RECORDS).is_file()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sets(st.integers(1, 12), min_size=1, max_size=5), min_size=1, max_size=3))
def test_rows_that_were_hidden_come_back_to_their_places(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[set[int]]
) -> None:
    folder = tmp_path_factory.mktemp("hidden")
    before = imported(folder)
    steps = [Step(do="hide", rows=tuple(sorted(each))) for each in chosen]
    hidden = fix(folder / "ds", "faq", steps)
    assert 0 < hidden.hidden == before.rows - hidden.rows
    everything = list(all_rows_in(folder / "ds" / hidden.id))
    assert [row.line for row in everything] == [row.line for row in rows_in(folder / "ds" / before.id)]
    assert sum(isinstance(row, HiddenRow) for row in everything) == hidden.hidden
    back = fix(folder / "ds", hidden.id, [Step(do="show")])
    assert (back.id, back.hash, back.hidden) == (before.id, before.hash, 0)
