"""Columns are understood by name and content; what is not sure is asked; a given mapping is checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.core.errors import DataError
from engine.data.convert import convert
from engine.data.inspect import inspect_file
from engine.data.library import import_file
from engine.data.nouns import BadRow, Mapping, Message, Record, Row
from engine.data.roles import detect_roles
from tests.data.fixtures import as_jsonl

CHAT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
SHARED = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
SCHEMAS = {
    "openai": ({"messages": CHAT}, "chat"),
    "openai under another name": ({"talk": CHAT, "id": "1"}, "chat"),
    "openai as text in a table": ({"messages": json.dumps(CHAT)}, "chat"),
    "sharegpt": ({"conversations": SHARED}, "chat"),
    "alpaca": ({"instruction": "a", "input": "", "output": "b"}, "instruction"),
    "question and answer": ({"question": "a", "answer": "b"}, "instruction"),
    "prompt and completion": ({"prompt": "a", "completion": "b"}, "instruction"),
    "input and output": ({"input": "a", "output": "b"}, "instruction"),
    "customer message and reply": ({"id": 7, "customer_message": "a", "reply": "b"}, "instruction"),
    "camel case": ({"userQuestion": "a", "botResponse": "b"}, "instruction"),
    "article and highlights": ({"article": "a long one", "highlights": "b"}, "instruction"),
    "preference": ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
    "plain text": ({"text": "a"}, "text"),
}


@pytest.mark.parametrize(("values", "schema"), SCHEMAS.values(), ids=SCHEMAS.keys())
def test_usual_schemas_are_recognised_surely(values: dict, schema: str) -> None:
    found = detect_roles([Record(1, values)] * 3)
    assert found.sure and found.mapping is not None and found.mapping.schema == schema
    row = convert(Record(1, values), found.mapping)
    assert isinstance(row, Row) and row.answer in ("a", "b")


def test_labels_are_named_in_a_generated_instruction(tmp_path: Path) -> None:
    rows = [{"text": f"a message number {n}", "label": ("praise", "return")[n % 2]} for n in range(12)]
    (tmp_path / "x").write_bytes(as_jsonl(rows))
    found = inspect_file(tmp_path / "x")
    assert found.schema == "classification"
    asked = found.sample[0].messages[0].content
    assert "praise, return" in asked and asked.endswith("a message number 0")
    assert found.sample[0].answer == "praise"


@pytest.mark.parametrize(
    "values", [{"foo": "some text", "bar": "other text"}, {"question": "a"}, {"a": "1"}], ids=lambda v: ",".join(v)
)
def test_unclear_columns_are_asked_about(tmp_path: Path, values: dict[str, str]) -> None:
    (tmp_path / "x").write_bytes(as_jsonl([values, {name: value + "!" for name, value in values.items()}]))
    found = inspect_file(tmp_path / "x")
    if found.detection.sure:
        assert list(values) == ["a"]  # a single column of text is text
        return
    assert found.mapping is None and found.sample == ()
    with pytest.raises(DataError) as caught:
        import_file(tmp_path / "datasets", tmp_path / "x")
    assert next(iter(values)) in caught.value.card.why


def test_a_given_mapping_is_used_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(as_jsonl([{"foo": "a", "bar": "b", "more": "c"}] * 2))
    mapping = Mapping(schema="instruction", instruction="foo", output="bar", input="more", system_text="Be kind.")
    assert inspect_file(tmp_path / "x", mapping=mapping).sample[0] == Row(
        messages=(Message("system", "Be kind."), Message("user", "a\n\nc"), Message("assistant", "b"))
    )


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (Mapping(schema="instruction", instruction="fo", output="bar"), "“foo”"),
        (Mapping(schema="instruction", instruction="foo"), "output"),
    ],
    ids=["unknown column", "missing role"],
)
def test_a_mapping_that_does_not_fit_says_what_would(tmp_path: Path, mapping: Mapping, said: str) -> None:
    (tmp_path / "x").write_bytes(as_jsonl([{"foo": "a", "bar": "b"}] * 2))
    with pytest.raises(DataError) as caught:
        inspect_file(tmp_path / "x", mapping=mapping)
    assert said in " ".join(each.label for each in caught.value.card.actions)


BAD_TURNS = {
    "unknown speaker": [{"role": "narrator", "content": "a"}],
    "empty content": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}],
    "no answer": [{"role": "user", "content": "a"}],
    "no question": [{"role": "assistant", "content": "a"}],
    "late system": [*CHAT, {"role": "system", "content": "a"}],
    "a picture": [{"role": "user", "content": [{"type": "image_url"}]}],
    "not a list": "hello",
    "turns that are no objects": ["a", "b"],
    "nothing": None,
}


@pytest.mark.parametrize("turns", BAD_TURNS.values(), ids=BAD_TURNS.keys())
def test_a_conversation_without_something_to_learn_says_why(turns: object) -> None:
    result = convert(Record(7, {"messages": turns}), Mapping(schema="chat", messages="messages"))  # pyright: ignore[reportArgumentType]
    assert (
        isinstance(result, BadRow)
        and result.line == 7
        and result.problem
        and result.remedy
        and result.column == "messages"
    )


def test_values_that_are_not_text_are_written_as_json() -> None:
    mapping = Mapping(schema="instruction", instruction="q", output="a")
    row = convert(Record(1, {"q": 5, "a": {"name": "Jörg", "ok": True}}), mapping)
    assert isinstance(row, Row) and row.messages[0].content == "5" and row.answer == '{"name": "Jörg", "ok": true}'
