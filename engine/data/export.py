"""A dataset as a file for other programs: JSON lines, Parquet, or the forms that Alpaca, ShareGPT and OpenAI use.

A form that cannot hold a dataset's rows is refused, so that nothing is lost in silence. A file named .json is written
as one array, any other as JSON lines. Read again, a file gives the same rows (ShareGPT without the ids of tool calls).
"""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.library import load_dataset, rows_in
from engine.data.nouns import EXPORT_FORMATS, Dataset, DatasetRow, ExportFormat, JsonValue, Message, Row
from engine.data.preferences import shared_turns
from engine.spec.files import rename
from engine.spec.prepared import Split

Object = dict[str, JsonValue]

MOST_NAMES = 1_000
TURN = ("role", "content", "tool_calls", "name", "tool_call_id")
"""The fields of a turn in Parquet, all texts."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: the file, its format, rows and bytes."""

    path: str
    format: ExportFormat
    rows: int
    bytes: int


def format_from(word: str) -> ExportFormat:
    """The form that is called so. Raises DataError with the choices."""
    for each in EXPORT_FORMATS:
        if word == each:
            return each
    raise DataError(f"There is no format “{word}”.", f"There are: {', '.join(EXPORT_FORMATS)}.", "Choose one of them.")


def export(datasets: Path, dataset: str, format: ExportFormat, target: Path, *, split: Split | None = None) -> Exported:
    """Write a dataset (by id or name), or one side of it. The file appears whole or not at all.

    Raises DataError when the file exists or the form cannot hold the rows, StorageError when the disk refuses.
    """
    found = load_dataset(datasets, dataset)
    _check(found, format, target)
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.absolute().parent) as folder:
            work = Path(folder) / "rows"
            rows = _write_lines(
                work, _objects(datasets / found.id, format, split), target.suffix == ".json" and format != "parquet"
            )
            work = _as_parquet(work, found) if format == "parquet" else work
            size = work.stat().st_size
            rename(work, target)
    except OSError as error:
        raise from_os(error, f"writing {target.name}") from error
    return Exported(path=str(target), format=format, rows=rows, bytes=size)


def export_into(datasets: Path, dataset: str, format: ExportFormat, folder: Path) -> Exported:
    """As `export`, as a new file in a folder, named after the dataset and the form."""
    name = re.sub(r"[^\w.\- ]", "_", load_dataset(datasets, dataset).name).strip(". ") or "data"
    ending = "parquet" if format == "parquet" else "jsonl"
    stem = name if format in ("jsonl", "parquet") else f"{name}-{format}"
    names = (f"{stem}.{ending}", *(f"{stem}-{number}.{ending}" for number in range(2, MOST_NAMES)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = next((each for each in names if not (folder / each).exists()), f"{stem}-{uuid.uuid4().hex}.{ending}")
    except OSError as error:
        raise from_os(error, f"making the folder {folder.name}") from error
    return export(datasets, dataset, format, folder / free)


def _check(dataset: Dataset, format: ExportFormat, target: Path) -> None:
    if target.exists():
        raise DataError(f"{target.name} exists already.", "Nothing is overwritten.", "Choose another name.")
    held = {"alpaca": ("text", "kto"), "sharegpt": ("text",), "openai": ("text", "kto")}.get(format, ())
    if dataset.schema in held:
        raise DataError(
            f"{dataset.name} cannot be written in the form of {format}.",
            f"Its rows are of the schema “{dataset.schema}”, which that form has no place for.",
            "Export it as JSON lines or Parquet.",
        )


def _write_lines(file: Path, objects: Iterator[Object], array: bool) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="\n") as target:
        for count, each in enumerate(objects, start=1):
            opening = ("[\n" if count == 1 else ",\n") if array else ""
            target.write(f"{opening}{json.dumps(each, ensure_ascii=False)}{'' if array else chr(10)}")
        target.write("\n]\n" if array and count else "[]\n" if array else "")
    return count


def _as_parquet(lines: Path, dataset: Dataset) -> Path:
    """The same rows as Parquet, piece by piece (polars)."""
    import polars

    turn = polars.List(polars.Struct(dict.fromkeys(TURN, polars.String)))
    names = {"text": ("text",), "preference": ("chosen", "rejected"), "kto": ("messages",)}
    columns: dict[str, polars.DataType | type[polars.DataType]] = dict.fromkeys(
        names.get(dataset.schema, ("messages",)), polars.String if dataset.schema == "text" else turn
    )
    if dataset.schema == "kto":
        columns["label"] = polars.Boolean
    columns |= {"tools": polars.String, "split": polars.String}
    target = lines.with_name("rows.parquet")
    polars.scan_ndjson(lines, schema=columns).sink_parquet(target)
    return target


def _objects(folder: Path, format: ExportFormat, split: Split | None) -> Iterator[Object]:
    for row in rows_in(folder, split):
        yield _FORMS[format](row)


def _plain(row: DatasetRow) -> Object:
    """Rows as this program reads them best, with their side of the split."""
    found: Object = {"text": row.text} if row.text else {"messages": _turns(row.messages)}
    if row.rejected:
        found = {"chosen": _turns(row.messages), "rejected": _turns(row.rejected)}
    if row.desired is not None:
        found["label"] = row.desired
    if row.tools:
        found["tools"] = row.tools
    return {**found, "split": row.split}


def _columns(row: DatasetRow) -> Object:
    """As `_plain`, tool calls as JSON text, so that every row has the same columns."""
    found = _plain(row)
    for name in ("messages", "chosen", "rejected"):
        turns = found.get(name)
        if isinstance(turns, list):
            found[name] = [_flat(each) for each in turns if isinstance(each, dict)]
    return found


def _flat(turn: Object) -> Object:
    calls = turn.get("tool_calls")
    return {
        "role": turn["role"],
        "content": turn["content"],
        "tool_calls": json.dumps(calls, ensure_ascii=False) if calls else None,
        "name": turn.get("name"),
        "tool_call_id": turn.get("tool_call_id"),
    }


def _turns(messages: tuple[Message, ...]) -> list[JsonValue]:
    return [_turn(each) for each in messages]


def _turn(message: Message) -> Object:
    """A message as OpenAI writes it."""
    found: Object = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
            for each in message.tool_calls
        ]
    for name in ("name", "tool_call_id"):
        if value := getattr(message, name):
            found[name] = value
    return found


def _openai(row: DatasetRow) -> Object:
    """OpenAI's fine-tuning form; of a preference that for direct preference optimisation."""
    tools: Object = {"tools": json.loads(row.tools)} if row.tools else {}
    if not row.rejected:
        return {"messages": _turns(row.messages), **tools}
    shared = shared_turns(row.messages, row.rejected)
    return {
        "input": {"messages": _turns(row.messages[:shared]), **tools},
        "preferred_output": _turns(row.messages[shared:]),
        "non_preferred_output": _turns(row.rejected[shared:]),
    }


def _alpaca(row: DatasetRow) -> Object:
    """Instruction and output, what was said before as history; chosen and rejected as LLaMA-Factory writes them."""
    system, turns = _parted(row)
    answers: Object = {"output": turns[-1].content}
    if row.rejected:
        _one_answer(row)
        answers = {"chosen": row.messages[-1].content, "rejected": row.rejected[-1].content}
    said = [each.content for each in turns[:-2]]
    history: list[JsonValue] = [list(pair) for pair in zip(said[::2], said[1::2], strict=True)]
    found: Object = {"instruction": turns[-2].content, "input": "", **answers}
    if system:
        found["system"] = system
    if history:
        found["history"] = history
    return found


def _parted(row: Row) -> tuple[str, tuple[Message, ...]]:
    """The system text, and turns that are by user and assistant in strict alternation. Raises DataError."""
    opened = row.messages[0].role == "system"
    turns = row.messages[1:] if opened else row.messages
    expected = ("user", "assistant") * (len(turns) // 2)
    if tuple(each.role for each in turns) != expected or any(each.tool_calls for each in turns):
        raise DataError(
            "A conversation does not fit the form of Alpaca.",
            "It holds pairs of a question and an answer, and no tools.",
            "Export as ShareGPT, OpenAI or JSON lines.",
        )
    return (row.messages[0].content if opened else "", turns)


def _one_answer(row: Row) -> int:
    """How many turns come before the compared answers, of one turn each. Raises DataError when they are longer."""
    shared = shared_turns(row.messages, row.rejected)
    if len(row.messages) != shared + 1 or len(row.rejected) != shared + 1:
        raise DataError(
            "A compared answer goes over several turns.",
            "This form has room for one turn.",
            "Export as OpenAI or JSON lines.",
        )
    return shared


_SHAREGPT = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}


def _sharegpt(row: DatasetRow) -> Object:
    """Conversations of {from, value}; compared answers as chosen and rejected."""
    if row.rejected:
        shared = _one_answer(row)
        return {
            "conversations": _said(row.messages[:shared]),
            "chosen": _said(row.messages[shared:])[0],
            "rejected": _said(row.rejected[shared:])[0],
        }
    label: Object = {} if row.desired is None else {"label": row.desired}
    return {"conversations": _said(row.messages), **label, **({"tools": row.tools} if row.tools else {})}


def _said(messages: tuple[Message, ...]) -> list[JsonValue]:
    said: list[JsonValue] = []
    for each in messages:
        if each.content or not each.tool_calls:
            said.append({"from": _SHAREGPT[each.role], "value": each.content})
        if each.tool_calls:
            calls: list[JsonValue] = [
                {"name": call.name, "arguments": _parsed(call.arguments)} for call in each.tool_calls
            ]
            said.append({"from": "function_call", "value": json.dumps(calls, ensure_ascii=False)})
    return said


def _parsed(arguments: str) -> JsonValue:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


_FORMS: dict[ExportFormat, Callable[[DatasetRow], Object]] = {
    "jsonl": _plain,
    "parquet": _columns,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "openai": _openai,
}
