"""The nouns of data: rows, how they were mapped, what was wrong with a line, what was noticed about a file.

Knows no file format and no tokenizer.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

from engine.core.settings import Settings
from engine.data.quality_report import QualityReport
from engine.spec.prepared import Layout, Split

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"

Schema = Literal["instruction", "chat", "text", "classification", "preference", "kto", "multiple_choice"]
"""How a row says what to learn: an instruction and its output, a conversation, plain text to continue, a text and its
label, a chosen and a rejected answer, an answer rated good or bad, or a question with choices."""
SCHEMAS: tuple[Schema, ...] = get_args(Schema)

_LAYOUTS: dict[Schema, Layout] = {"preference": "pairs", "kto": "rated"}

RoleName = Literal[
    "system",
    "instruction",
    "input",
    "output",
    "messages",
    "text",
    "label",
    "chosen",
    "rejected",
    "group",
    "ignored",
]
COLUMN_ROLES: tuple[str, ...] = (*(each for each in get_args(RoleName) if each != "ignored"), "tools")
"""The roles that a mapping names one column or template for."""
Speaker = Literal["system", "user", "assistant", "tool"]
Level = Literal["info", "warning", "problem"]
FormatName = Literal["csv", "tsv", "json", "jsonl", "parquet", "arrow", "text"]
Packing = Literal["", "gzip", "zstd"]
TextRows = Literal["auto", "paragraphs", "lines", "windows"]
"""What one row of a plain text is; auto takes paragraphs where blank lines part them, and lines otherwise."""

ExportFormat = Literal["jsonl", "parquet", "alpaca", "sharegpt", "openai"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

Order = Literal["row", "score", "length"]
"""What rows are sorted by."""

SURE = 0.6
"""Below this confidence the person is asked to map the columns (requirement E3)."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a dataset's files may be together, in bytes (unpacked)."""

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
    packing: Packing = ""
    bytes: int = 0
    text_rows: TextRows = "auto"


class Record(msgspec.Struct, frozen=True):
    """One record as the file has it. `line` is where it starts, from 1 (Parquet and Arrow: the row's number).

    `mended` says what had to be overlooked to read it, such as a comma at the end of its line.
    """

    line: int
    values: dict[str, JsonValue]
    mended: str = ""
    file: str = ""


class BadRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record that could not be used: where it is, what is wrong, how to mend it.

    `column` is a column's name, or, where the line itself is malformed, the character in it, from 1. `file` names the
    file when there are several.
    """

    line: int
    problem: str
    remedy: str
    column: str | int | None = None
    file: str = ""


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call of a function by the assistant. `arguments` is JSON text."""

    name: str
    arguments: str
    id: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation; a tool's turn answers the call `tool_call_id`."""

    role: Speaker
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    name: str = ""
    tool_call_id: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One example in its canonical form: a conversation, or plain text to continue (then `messages` is empty).

    Preference: `messages` ends with the chosen answer, `rejected` is the same conversation with the rejected one. KTO:
    `desired` says whether the answer that ends `messages` is a good one. `tools` is the JSON list of functions that
    the assistant may call.
    """

    messages: tuple[Message, ...] = ()
    text: str = ""
    rejected: tuple[Message, ...] = ()
    desired: bool | None = None
    tools: str = ""

    @property
    def answer(self) -> str:
        """What is learned from this row: the assistant's words, or the text."""
        return self.text or "\n".join(each.content for each in self.messages if each.role == "assistant")

    @property
    def prompt(self) -> str:
        """What the assistant's words answer to; empty for plain text."""
        return "\n".join(each.content for each in self.messages if each.role != "assistant")


class DatasetRow(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A row of a dataset, with its side of the split and the line of the source file it came from."""

    line: int
    split: Split
    file: str = ""

    @property
    def row(self) -> Row:
        """The row alone."""
        return Row(
            messages=self.messages, text=self.text, rejected=self.rejected, desired=self.desired, tools=self.tools
        )

    def saying(self, row: Row) -> DatasetRow:
        """A row that stands where this one does."""
        return DatasetRow(
            messages=row.messages, text=row.text, rejected=row.rejected, desired=row.desired, tools=row.tools,
            line=self.line, split=self.split, file=self.file,
        )  # fmt: skip


class HiddenRow(DatasetRow, frozen=True, kw_only=True, omit_defaults=True):
    """A row that is hidden; so many rows stand before it that are not."""

    before: int

    @classmethod
    def of(cls, row: DatasetRow, before: int) -> HiddenRow:
        """The row, hidden."""
        return cls(
            messages=row.messages, text=row.text, rejected=row.rejected, desired=row.desired, tools=row.tools,
            line=row.line, split=row.split, file=row.file, before=before,
        )  # fmt: skip


class Tags(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a dataset's turns are written, where that is not usual: the two fields, and who is meant by which word."""

    role: str = ""
    content: str = ""
    speakers: dict[str, Speaker] = {}


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which column plays which role: the name of a column, or a template that puts several together.

    A template names columns in braces (`{question}\\n{context}`). Beside an instruction, `messages` are the turns
    before it. `choices` are the columns with the choices of a multiple-choice question (one that holds a list, or one
    for each), and `first_choice` is the number of the first where answers are numbers. `system_text` opens every
    conversation that has no system message of its own; `task_text` stands before the text of a classification row
    (left empty, it is written from the labels found).
    """

    schema: Schema
    system: str = ""
    instruction: str = ""
    input: str = ""
    output: str = ""
    messages: str = ""
    text: str = ""
    label: str = ""
    chosen: str = ""
    rejected: str = ""
    group: str = ""
    choices: tuple[str, ...] = ()
    first_choice: int = 0
    tools: str = ""
    tags: Tags = Tags()
    system_text: str = ""
    task_text: str = ""

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """Each role that a column or template plays, with it: (role, source)."""
        return tuple((role, source) for role in COLUMN_ROLES if (source := getattr(self, role)))

    @property
    def talks(self) -> bool:
        """Rows are whole conversations, whose speakers may have unusual names."""
        return bool(self.messages) and not self.instruction


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
    """Something noticed about data or a plan: how bad, what, why it matters, what to do.

    Findings about data have an `id` that names their kind, the `rows` they concern, and the `share` of all rows;
    `examples` are the numbers of some of these rows, from 1, and `repair` is what `data fix` calls the remedy.
    """

    level: Level
    what: str
    why: str
    fix: str
    id: str = ""
    rows: int = 0
    share: float = 0.0
    examples: tuple[int, ...] = ()
    repair: str = ""


class SplitPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How rows are divided. `validation` and `test` are shares of all rows.

    by: random (seeded), time (the newest rows are held out, by the column `time`), or given (by the column `column`,
    or by the names of the files). Rows that say the same, or share a value of the group column, stay on one side. With
    `stratify`, each label has the same share on every side.
    """

    by: Literal["auto", "random", "time", "given"] = "auto"
    seed: int = 42
    validation: float = 0.2
    test: float = 0.0
    stratify: bool = True
    time: str = ""
    column: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One recorded change of a dataset: what is done, and to which rows.

    drop and hide: the rows of a `finding`, those not in a `language`, or `rows` by number (from 1, as they stood
    before the step). What is hidden is neither trained on nor measured, and comes back to its place with `show`.
    repair_encoding, trim and redact change the text of every row that needs it. remap reads the source again under
    another `mapping`.
    """

    do: Literal["drop", "hide", "show", "repair_encoding", "trim", "redact", "remap"]
    finding: str = ""
    language: str = ""
    rows: tuple[int, ...] = ()
    mapping: Mapping | None = None


class RatedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in a conversation, and what a person thought of it: `good`, bad, or None where they did not say.

    `messages` are the turns before it, of which the last one is the user's.
    """

    messages: tuple[Message, ...]
    answer: str
    good: bool | None = None


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """`dataset.json`: an imported, immutable dataset. `hash` is the sha256 of its rows in their canonical form.

    A dataset made from another by `steps` (all of them since the import, oldest first) names that one as its `parent`;
    `imported_hash` is the hash of the rows as they were imported, and `imported_mapping` the mapping then, where
    another one was chosen since. `hidden` rows are not among `rows`.
    """

    format: int
    id: str
    name: str
    hash: str
    rows: int
    train_rows: int
    validation_rows: int
    test_rows: int
    split: SplitPlan
    schema: Schema
    mapping: Mapping
    source: str
    source_format: FormatName
    encoding: str
    made: float
    bad: int
    duplicates: int
    characters: int
    answer_characters: int
    longest_characters: int
    findings: tuple[Finding, ...]
    text_rows: TextRows = "auto"
    parent: str = ""
    steps: tuple[Step, ...] = ()
    imported_hash: str = ""
    imported_mapping: Mapping | None = None
    hidden: int = 0
    score: float | None = None

    @property
    def seed(self) -> int:
        """The seed of the split."""
        return self.split.seed

    @property
    def layout(self) -> Layout:
        """How its rows are prepared when nothing else is asked for: compared and rated answers as what they are."""
        return _LAYOUTS.get(self.schema, "rows")


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would become: shown before it is imported. `bad` holds the first hundred of `bad_count`.

    `read` = `rows` + `bad_count`. Without a sure mapping `rows` are those that could be read, `sample` is empty.
    `splits` counts the rows of each side.
    """

    source: str
    format: Format
    columns: tuple[str, ...]
    detection: Detection
    mapping: Mapping | None
    read: int
    rows: int
    bad_count: int
    bad: tuple[BadRow, ...]
    findings: tuple[Finding, ...]
    sample: tuple[Row, ...]
    splits: dict[str, int]
    quality: QualityReport | None = None

    @property
    def schema(self) -> Schema | None:
        """The schema found, or None when the columns must be mapped first."""
        return self.mapping.schema if self.mapping else None
