"""Every schema is recognised by names and contents, in any usual language, and becomes the rows it means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.data.convert import convert
from engine.data.inspect import inspect_file
from engine.data.nouns import BadRow, JsonValue, Mapping, Message, Record, Row, Tags
from engine.data.roles import detect_roles
from tests.data.fixtures import as_jsonl, dialogue

Values = dict[str, JsonValue]
USER: JsonValue = {"role": "user", "content": "q"}
GOOD: JsonValue = {"role": "assistant", "content": "good"}
BAD: JsonValue = {"role": "assistant", "content": "bad"}
PAIR = (dialogue("q", "good"), dialogue("q", "bad"))


def row_of(values: Values, mapping: Mapping | None = None) -> Row:
    """The row that a record becomes under the mapping found."""
    found = detect_roles([Record(1, values)] * 4)
    assert mapping or found.sure, found
    row = convert(Record(1, values), mapping or found.mapping or Mapping(schema="text"))
    assert isinstance(row, Row), row
    return row


PREFERENCES: dict[str, Values] = {
    "texts with a prompt": {"prompt": "q", "chosen": "good", "rejected": "bad"},
    "messages with a prompt": {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
    "whole conversations": {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
    "whole conversations and a prompt": {"prompt": "q", "chosen": [USER, GOOD], "rejected": [USER, BAD]},
    "messages and one answer each": {"messages": [USER], "chosen": GOOD, "rejected": BAD},
    "conversations as JSON text": {"chosen": json.dumps([USER, GOOD]), "rejected": json.dumps([USER, BAD])},
    "transcripts": {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"},
    "a question and other names": {"question": "q", "chosen_response": "good", "rejected_response": "bad"},
    "scores beside them": {"id": "7", "prompt": "q", "chosen": "good", "rejected": "bad", "score_chosen": 8.5},
}


@pytest.mark.parametrize("values", PREFERENCES.values(), ids=PREFERENCES.keys())
def test_a_chosen_and_a_rejected_answer_become_two_conversations_with_one_beginning(values: Values) -> None:
    found = detect_roles([Record(1, values)] * 4)
    assert found.mapping is not None and found.mapping.schema == "preference"
    row = row_of(values)
    assert (row.messages, row.rejected) == PAIR


def test_the_beginning_that_two_texts_share_is_their_prompt() -> None:
    row = row_of({"chosen": "What is it? It is good.", "rejected": "What is it? Not known."})
    assert (row.prompt, row.answer, row.rejected[-1].content) == ("What is it?", "It is good.", "Not known.")


EARLIER: dict[str, tuple[Values, str]] = {
    "an instruction": ({"instruction": "q", "output": "good"}, "instruction"),
    "a preference": ({"prompt": "q", "chosen": "good", "rejected": "bad"}, "preference"),
    "a rating": ({"prompt": "q", "completion": "good", "label": True}, "kto"),
}
HISTORY: dict[str, JsonValue] = {
    "pairs": [["a", "b"], ["c", "d"]],
    "pairs as JSON text": json.dumps([["a", "b"], ["c", "d"]]),
}


@pytest.mark.parametrize("past", HISTORY.values(), ids=HISTORY.keys())
@pytest.mark.parametrize(("values", "schema"), EARLIER.values(), ids=EARLIER.keys())
def test_a_history_column_is_read_as_earlier_turns(values: Values, schema: str, past: JsonValue) -> None:
    found = detect_roles([Record(1, {**values, "history": past}), Record(2, {**values, "history": []})])
    assert found.mapping is not None and (found.mapping.schema, found.mapping.messages) == (schema, "history")
    assert ("history", "messages") in [(each.column, each.role) for each in found.roles]
    row = row_of({**values, "history": past}, found.mapping)
    assert row.messages == dialogue("a", "b", "c", "d", "q", "good")
    for nothing in ([], None, "", "[]"):
        assert row_of({**values, "history": nothing}, found.mapping).messages == dialogue("q", "good")


@pytest.mark.parametrize("turns", [("role", "content", "user", "assistant"), ("from", "value", "human", "gpt")])
def test_a_file_of_one_record_with_conversations_is_one_row(tmp_path: Path, turns: tuple[str, str, str, str]) -> None:
    role, words, user, assistant = turns
    talks = [[{role: user, words: "q"}, {role: assistant, words: said}] for said in ("good", "bad")]
    (tmp_path / "one.json").write_text(json.dumps({"chosen": talks[0], "rejected": talks[1]}))
    found = inspect_file(tmp_path / "one.json")
    assert (found.schema, found.rows, found.sample[0].answer) == ("preference", 1, "good")


BAD_PAIRS: dict[str, tuple[Values, str]] = {
    "the same answer": ({"prompt": "q", "chosen": "a", "rejected": "a"}, "the same"),
    "an empty answer": ({"prompt": "q", "chosen": "a", "rejected": " "}, "missing"),
    "no prompt": ({"chosen": "a", "rejected": "b"}, "no prompt"),
    "different prompts": ({"chosen": [USER, GOOD], "rejected": [{"role": "user", "content": "x"}, BAD]}, "different"),
    "no answer at the end": ({"chosen": [USER, GOOD, USER], "rejected": [USER, BAD]}, "does not end"),
}


@pytest.mark.parametrize(("values", "said"), BAD_PAIRS.values(), ids=BAD_PAIRS.keys())
def test_a_pair_that_cannot_be_compared_says_why(values: Values, said: str) -> None:
    prompt = "prompt" if "prompt" in values else ""
    mapping = Mapping(schema="preference", instruction=prompt, chosen="chosen", rejected="rejected")
    result = convert(Record(3, values), mapping)
    assert isinstance(result, BadRow) and result.line == 3 and said in result.problem


@pytest.mark.parametrize(
    ("good", "bad"),
    [(True, False), (1, 0), ("true", "False"), ("👍", "👎"), ("desirable", "undesirable")],
    ids=["booleans", "numbers", "words", "thumbs", "desirable"],
)
def test_a_rated_answer_is_good_or_bad(tmp_path: Path, good: JsonValue, bad: JsonValue) -> None:
    rows = [{"prompt": f"q{n}", "completion": "a", "label": (good, bad)[n % 2]} for n in range(10)]
    (tmp_path / "x").write_text("\n".join(json.dumps(row) for row in rows))
    found = inspect_file(tmp_path / "x")
    assert found.schema == "kto" and found.rows == 10
    assert [row.desired for row in found.sample] == [True, False] * 5
    assert {each.column: each.role for each in found.detection.roles} == {
        "prompt": "instruction",
        "completion": "output",
        "label": "label",
    }


def test_rated_conversations_and_a_missing_rating() -> None:
    assert row_of({"messages": [USER, GOOD], "label": True}).desired is True
    mapping = Mapping(schema="kto", instruction="q", output="a", label="l")
    for value, said in ((None, "missing"), ("maybe", "maybe")):
        result = convert(Record(1, {"q": "a", "a": "b", "l": value}), mapping)
        assert isinstance(result, BadRow) and said in result.problem and result.column == "l"


CHOICES: dict[str, Values] = {
    "a list and a number from 0": {"question": "q", "choices": ["x", "y", "z"], "answer": 1},
    "a list and a letter": {"question": "q", "choices": ["x", "y", "z"], "answer": "B"},
    "a list and the words": {"question": "q", "options": ["x", "y", "z"], "answer": "y"},
    "texts and labels": {
        "question": "q",
        "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]},
        "answerKey": "2",
    },
    "objects": {
        "question": "q",
        "choices": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}, {"label": "C", "text": "z"}],
        "answerKey": "B",
    },
    "an object by letter": {"question": "q", "options": {"A": "x", "B": "y", "C": "z"}, "answer": "B"},
    "a column for each letter": {"question": "q", "A": "x", "B": "y", "C": "z", "answer": "b"},
    "a column for each number": {"prompt": "q", "option_1": "x", "option_2": "y", "option_3": "z", "label": "B"},
    "endings with a label": {"ctx": "q", "endings": ["x", "y", "z"], "label": "1"},
}


@pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES.keys())
def test_choices_are_lettered_and_the_right_letter_is_the_answer(values: Values) -> None:
    found = detect_roles([Record(1, values)] * 4)
    assert found.mapping is not None and found.mapping.schema == "multiple_choice"
    row = row_of(values)
    assert (row.prompt, row.answer) == ("q\n\nA. x\nB. y\nC. z", "B")


def test_answers_that_count_from_one_are_seen_from_all_of_them(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "choices": ["x", "y", "z"], "answer": 1 + n % 3} for n in range(9)]
    (tmp_path / "x").write_text("\n".join(json.dumps(row) for row in rows))
    assert [row.answer for row in inspect_file(tmp_path / "x").sample] == ["A", "B", "C"] * 3


def test_an_answer_that_is_no_choice_is_a_bad_row() -> None:
    mapping = Mapping(schema="multiple_choice", instruction="q", choices=("c",), output="a")
    for values, said in (({"c": ["x", "y"], "a": "w"}, "none of the choices"), ({"c": ["x"], "a": "x"}, "two or more")):
        result = convert(Record(1, {"q": "?", **values}), mapping)
        assert isinstance(result, BadRow) and said in result.problem


CALL: JsonValue = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
TOOL_TALK: list[JsonValue] = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "sunny"},
    {"role": "assistant", "content": "It is sunny."},
]


def test_tool_calls_and_tools_are_kept() -> None:
    row = row_of({"messages": TOOL_TALK, "tools": [{"type": "function", "function": {"name": "weather"}}]})
    call = row.messages[1].tool_calls[0]
    assert (call.name, json.loads(call.arguments), call.id) == ("weather", {"city": "Rome"}, "c1")
    assert row.messages[2] == Message("tool", "sunny", name="weather", tool_call_id="c1")
    assert json.loads(row.tools)[0]["function"]["name"] == "weather"


def test_sharegpt_calls_are_tool_calls_too() -> None:
    turns: list[JsonValue] = [
        {"from": "human", "value": "q"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Rome"}}'},
        {"from": "observation", "value": "sunny"},
        {"from": "gpt", "value": "It is sunny."},
    ]
    row = row_of({"conversations": turns})
    assert [each.role for each in row.messages] == ["user", "assistant", "tool", "assistant"]
    assert row.messages[1].tool_calls[0].name == "weather"


@pytest.mark.parametrize(
    "text",
    ["User: hi\nAssistant: hello\nyou", "### Human: hi\n### Assistant: hello\nyou", "Q: hi\n\nA: hello\nyou"],
    ids=["user and assistant", "headings", "letters"],
)
def test_a_transcript_in_one_column_is_a_conversation(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_bytes(as_jsonl([{"text": f"{text} {n}"} for n in range(3)]))
    found = inspect_file(tmp_path / "x")
    assert found.schema == "chat" and found.detection.roles[0].role == "messages"
    assert found.sample[2].messages == dialogue("hi", "hello\nyou 2")


SPOKEN: dict[str, list[JsonValue]] = {
    "other fields": [{"speaker": "user", "text": "hi"}, {"speaker": "assistant", "text": "hello"}],
    "two unknown names": [{"role": "Anna", "content": "hi"}, {"role": "Shop", "content": "hello"}],
    "only one of them known": [{"from": "guest", "value": "hi"}, {"from": "bot", "value": "hello"}],
}


@pytest.mark.parametrize("turns", SPOKEN.values(), ids=SPOKEN.keys())
def test_conversations_with_other_tags_are_understood(turns: list[JsonValue]) -> None:
    assert row_of({"conversation": turns}).messages == dialogue("hi", "hello")


def test_three_unknown_speakers_are_asked_about() -> None:
    turns: list[JsonValue] = [{"role": name, "content": "x"} for name in ("Anna", "Ben", "Cleo")]
    assert not detect_roles([Record(1, {"conversation": turns})] * 4).sure


def test_given_tags_are_used() -> None:
    tags = Tags(role="wer", content="was", speakers={"Kunde": "user", "Laden": "assistant"})
    turns: list[JsonValue] = [{"wer": "Kunde", "was": "hi"}, {"wer": "Laden", "was": "hello"}]
    row = row_of({"m": turns}, Mapping(schema="chat", messages="m", tags=tags))
    assert row.messages == dialogue("hi", "hello")


LANGUAGES = {
    "German": ("Frage", "Antwort", "Kontext"),
    "French": ("question", "réponse", "contexte"),
    "Spanish": ("pregunta", "respuesta", "contexto"),
    "Portuguese": ("pergunta", "resposta", "contexto"),
    "Italian": ("domanda", "risposta", "contesto"),
    "Dutch": ("vraag", "antwoord", "context"),
    "Russian": ("вопрос", "ответ", "контекст"),
    "Chinese": ("问题", "回答", "上下文"),
    "Chinese instructions": ("指令", "输出", "输入"),
    "Japanese": ("質問", "回答", "文脈"),
    "Korean": ("질문", "답변", "입력"),
    "Turkish": ("soru", "cevap", "girdi"),
    "shouted": ("QUESTION", "ANSWER", "CONTEXT"),
    "context, question, answer": ("Question Text", "Best Answer", "Context"),
}


@pytest.mark.parametrize(("asked", "said", "extra"), LANGUAGES.values(), ids=LANGUAGES.keys())
def test_names_of_columns_in_many_languages_and_styles(asked: str, said: str, extra: str) -> None:
    found = detect_roles([Record(1, {extra: "c", said: "a", asked: "q"})] * 4)
    assert found.sure
    roles = {each.column: each.role for each in found.roles}
    assert roles == {asked: "instruction", said: "output", extra: "input"}


def test_an_input_that_is_empty_in_every_row_is_still_one() -> None:
    found = detect_roles([Record(1, {"instruction": "q", "input": "", "output": "a"})] * 4)
    assert [each.role for each in found.roles] == ["instruction", "input", "output"]


def test_columns_are_put_together_by_a_template(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(as_jsonl([{"title": "T", "body": "B", "extra": "", "reply": "R"}] * 2))
    mapping = Mapping(schema="instruction", instruction="{title}:\n{body} {extra}", output="reply")
    row = inspect_file(tmp_path / "x", mapping=mapping).sample[0]
    assert (row.prompt, row.answer) == ("T:\nB ", "R")


def test_a_column_with_groups_is_seen_by_its_name(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "answer": f"a{n}", "conversation_id": str(n // 3)} for n in range(12)]
    (tmp_path / "x").write_bytes(as_jsonl(rows))
    found = inspect_file(tmp_path / "x")
    assert found.mapping is not None and found.mapping.group == "conversation_id"
    assert [each.role for each in found.detection.roles] == ["instruction", "output", "group"]
