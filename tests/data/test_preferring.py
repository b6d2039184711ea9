"""Compared and rated answers reach the arrays as they are meant: pairs side by side, only the answers trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from engine.core.errors import DataError
from engine.data.importing import import_file
from engine.data.nouns import Dataset, Message, ToolCall
from engine.data.prepare import DroppedRow, prepare
from engine.data.preview import PreviewRow, preview
from engine.data.template import ChatTemplate, Refused, template_source
from engine.data.tokenizer import ModelTokenizer
from engine.spec.files import LineReader
from engine.spec.prepared import PreparedHeader, read_split
from tests.data.fixtures import STARTER, make_model

TURNS = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "an earlier answer"}]


def made(folder: Path, rows: Sequence[Mapping[str, object]]) -> Dataset:
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return import_file(folder / "ds", folder / "rows.jsonl")


def prepared(folder: Path, dataset: Dataset, layout, length: int = 256) -> PreparedHeader:
    return prepare(folder / "ds" / dataset.id, STARTER, length, folder / "prepared", layout)


def learned(rows: Sequence[PreviewRow]) -> list[str]:
    return ["".join(each.text for each in row.segments if each.trained) for row in rows]


def test_pairs_lie_side_by_side_and_only_the_compared_answers_are_trained(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": [*TURNS, {"role": "user", "content": f"question {n}"}],
            "chosen": f"good {n}",
            "rejected": f"worse {n}",
        }
        for n in range(10)
    ]
    dataset = made(tmp_path, rows)
    header = prepared(tmp_path, dataset, dataset.layout)
    folder = tmp_path / "prepared" / header.hash
    assert header.layout == "pairs"
    for split in ("train", "validation"):
        shown = preview(folder, STARTER, split, 0, 100)
        assert len(shown) == header.splits[split].rows and len(shown) % 2 == 0
        for chosen, rejected in zip(shown[::2], shown[1::2], strict=True):
            number = chosen.source_row
            assert rejected.source_row == number
            assert learned([chosen, rejected]) == [f"good {number}<|im_end|>", f"worse {number}<|im_end|>"]
            assert chosen.segments[0].text == rejected.segments[0].text
            assert "an earlier answer" in chosen.segments[0].text
    assert header.splits["train"].rows + header.splits["validation"].rows == 20


def test_a_pair_is_dropped_whole_with_its_reason(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n}", "chosen": "good", "rejected": "worse"} for n in range(8)]
    long = "word " * 100
    rows.append({"prompt": long, "chosen": "a", "rejected": "b"})
    rows.append({"prompt": "short", "chosen": f"{long} good", "rejected": f"{long} bad"})
    header = prepared(tmp_path, made(tmp_path, rows), "pairs", 64)
    folder = tmp_path / "prepared" / header.hash
    dropped = LineReader(folder / "dropped.jsonl", DroppedRow).read()
    assert [each.line for each in dropped] == [9, 10]
    assert "prompt alone" in dropped[0].why and "are the same" in dropped[1].why
    assert sum(each.rows for each in header.splits.values()) == 16
    assert all(len(read_split(folder, split)) % 2 == 0 for split in ("train", "validation"))


def test_rated_answers_carry_their_rating(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {n}", "completion": f"answer {n}", "label": n % 3 > 0} for n in range(20)]
    dataset = made(tmp_path, rows)
    header = prepared(tmp_path, dataset, dataset.layout)
    assert header.layout == "rated"
    folder = tmp_path / "prepared" / header.hash
    for split in ("train", "validation"):
        arrays = read_split(folder, split)
        assert list(arrays.desired) == [int(number % 3 > 0) for number in header.source_rows[split]]
        assert learned(preview(folder, STARTER, split, 0, 100)) == [
            f"answer {number}<|im_end|>" for number in header.source_rows[split]
        ]


def test_examples_are_learned_from_the_good_answers_of_such_data(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": "worse"} for n in range(6)]
    header = prepared(tmp_path, made(tmp_path, rows), "rows")
    assert header.layout == "rows" and sum(each.rows for each in header.splits.values()) == 6
    rated = [{"prompt": f"q{n}", "completion": f"a{n}", "label": n % 2 == 0} for n in range(12)]
    header = prepared(tmp_path, made(tmp_path, rated), "rows")
    assert sum(each.rows for each in header.splits.values()) == 6
    assert sum(each.dropped for each in header.splits.values()) == 6


@pytest.mark.parametrize("layout", ["pairs", "rated"])
def test_data_without_comparisons_cannot_be_laid_out_so(tmp_path: Path, layout: str) -> None:
    dataset = made(tmp_path, [{"question": f"q{n}", "answer": "a"} for n in range(6)])
    with pytest.raises(DataError, match="has no"):
        prepared(tmp_path, dataset, layout)


def test_the_test_side_is_never_prepared(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "answer": "a", "split": ("train", "test")[n > 7]} for n in range(12)]
    dataset = made(tmp_path, rows)
    header = prepared(tmp_path, dataset, "rows")
    assert dataset.test_rows == 4 and set(header.splits) == {"train", "validation"}
    assert sum(each.rows for each in header.splits.values()) == 8


CALLING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + (m.content or '') }}"
    "{% for c in m.tool_calls or [] %}{{ '<call>' + (c.function | tojson) + '</call>' }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if tools %}{{ '' }}{% endif %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TALK = (
    Message("user", "weather?"),
    Message("assistant", "", (ToolCall("weather", '{"city": "Rome"}'),)),
    Message("tool", "sunny"),
    Message("assistant", "It is sunny."),
)


def marked(folder: Path, source: str, talk: tuple[Message, ...] = TALK, tools: str = "") -> list[str]:
    model = make_model(folder, source)
    rendered = ChatTemplate(template_source(model), ModelTokenizer(model)).mark(talk, tools=tools)
    return [rendered.text[start:stop] for start, stop in rendered.learned]


def test_a_tool_call_is_learned_as_the_template_writes_it_and_the_tool_is_not(tmp_path: Path) -> None:
    assert marked(tmp_path / "m", CALLING) == [
        '<call>{"name": "weather", "arguments": {"city": "Rome"}}</call><|im_end|>',
        "It is sunny.<|im_end|>",
    ]


def test_a_template_that_writes_no_calls_or_tools_refuses_them(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not write tool calls"):
        marked(tmp_path / "a", CALLING.replace("m.tool_calls or []", "[]"))
    with pytest.raises(Refused, match="does not write the tools"):
        marked(tmp_path / "b", CALLING, TALK[:1] + TALK[3:], '[{"function": {"name": "a_certain_tool"}}]')
    written = CALLING.replace("{{ '' }}", "{{ tools | tojson }}")
    assert marked(tmp_path / "c", written, TALK[:1] + TALK[3:], '[{"function": {"name": "a_certain_tool"}}]')
