"""The nouns of data: rows, how they were mapped, what was wrong with a line, what was noticed about a file.

Knows no file format and no tokenizer.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

from engine.core.settings import Settings
from engine.spec.prepared import Split

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"

Shape = Literal["messages", "sharegpt", "instruction", "pairs", "classification", "text"]
"""How a row says what to learn: chat messages (OpenAI), ShareGPT turns, instruction + input + output, a prompt and its
answer, a text and its label, or plain text to continue."""

RoleName = Literal["messages", "prompt", "context", "answer", "system", "text", "label", "unused"]
ROLES: tuple[str, ...] = get_args(RoleName)
Speaker = Literal["system", "user", "assistant"]
Level = Literal["info", "warning", "problem"]
FormatName = Literal["csv", "json", "jsonl", "parquet", "text"]

SURE = 0.6
"""Below this confidence the person is asked to map the columns (requirement E3)."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a data file may be, in bytes (unpacked)."""

    warn_bytes: int = 500_000_000
    refuse_bytes: int = 1_000_000_000

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        """The limits the user set."""
        return cls(warn_bytes=settings.warn_file_bytes, refuse_bytes=settings.refuse_file_bytes)


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is, found from its content. `header` says whether the first line of a table names its columns."""

    name: FormatName
    encoding: str = ""
    delimiter: str = ""
    escape: str = ""
    header: bool = True
    gzip: bool = False
    bytes: int = 0


class Record(msgspec.Struct, frozen=True):
    """One record as the file has it. `line` is where it starts, from 1 (Parquet: the row's number)."""

    line: int
    values: dict[str, JsonValue]


class LineProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be used: where it starts, what is wrong, how to mend it."""

    line: int
    what: str
    fix: str


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Speaker
    content: str


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One example in its canonical form: a conversation, or plain text to continue (then `messages` is empty)."""

    messages: tuple[Message, ...] = ()
    text: str = ""

    @property
    def answer(self) -> str:
        """What is learned from this row: the assistant's words, or the text."""
        return self.text or "\n".join(each.content for each in self.messages if each.role == "assistant")

    @property
    def prompt(self) -> str:
        """What the assistant's words answer to; empty for plain text."""
        return "\n".join(each.content for each in self.messages if each.role != "assistant")


class DatasetRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of a dataset, with its side of the split and the line of the source file it came from."""

    line: int
    split: Split
    messages: tuple[Message, ...] = ()
    text: str = ""

    @property
    def row(self) -> Row:
        """The row alone."""
        return Row(messages=self.messages, text=self.text)


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which column plays which role. Names of columns, except the last two, which are words.

    `system_text` opens every conversation that has no system message of its own; `instruction` stands before the text
    of a classification row (left empty, it is written from the labels found).
    """

    shape: Shape
    messages: str = ""
    prompt: str = ""
    context: str = ""
    answer: str = ""
    system: str = ""
    text: str = ""
    label: str = ""
    system_text: str = ""
    instruction: str = ""


class RoleGuess(msgspec.Struct, frozen=True, kw_only=True):
    """The role a column seems to play, how sure that is (0 to 1), and what it was seen from."""

    column: str
    role: RoleName
    confidence: float
    evidence: str


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of a file's columns. Under `SURE` the person decides; `mapping` is then only a suggestion."""

    roles: tuple[RoleGuess, ...]
    mapping: Mapping | None
    confidence: float

    @property
    def sure(self) -> bool:
        """The mapping can be used without asking."""
        return self.mapping is not None and self.confidence >= SURE


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something noticed about data or a plan: how bad, what, why it matters, what to do."""

    level: Level
    what: str
    why: str
    fix: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """`dataset.json`: an imported, immutable dataset. `hash` is the sha256 of its rows in their canonical form."""

    format: int
    id: str
    name: str
    hash: str
    rows: int
    train_rows: int
    validation_rows: int
    seed: int
    shape: Shape
    mapping: Mapping
    source: str
    source_format: FormatName
    encoding: str
    made: float
    problems: int
    duplicates: int
    characters: int
    answer_characters: int
    longest_characters: int
    findings: tuple[Finding, ...]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would become: shown before it is imported. `problems` holds the first hundred of `problem_count`.

    `records` = `rows` + `problem_count`. Without a sure mapping `rows` are those that could be read, `sample` is empty.
    """

    source: str
    format: Format
    columns: tuple[str, ...]
    detection: Detection
    mapping: Mapping | None
    records: int
    rows: int
    problem_count: int
    problems: tuple[LineProblem, ...]
    findings: tuple[Finding, ...]
    sample: tuple[Row, ...]

    @property
    def shape(self) -> str:
        """The shape found, or "" when the columns must be mapped first."""
        return self.mapping.shape if self.mapping else ""
