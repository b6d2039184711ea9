"""Dataset and model in, `prepared/<hash>/` out: the tokens and trained flags that the worker reads as they are.

A conversation longer than the context length keeps its beginning: the prompt stays whole for as long as it fits, the
end of the answer is cut (and its end token with it, so that no model learns to stop in mid-sentence). When nothing
learned is left, the row is dropped. Plain text loses nothing: it goes on in the next prepared row. Every dropped row
stands in `dropped.jsonl` with its line and the reason; `template.jinja` is the chat template that was used.

The layout follows what is optimised: rows learns every answer (of a preference the chosen one, of a rating the good
ones), pairs writes chosen and rejected answers one after the other and drops them together, rated writes each answer
with whether it is desired. In the last two only the compared or rated answer is trained, not earlier turns.

Rows that are only asked (the test side, or a dataset that nothing was trained on) are prepared alone, as held-out ones.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from engine.core.errors import DataError, ModelError, from_os
from engine.data.importing import new_work_folder
from engine.data.library import damaged, rows_in
from engine.data.masks import Tokens, tokenise
from engine.data.nouns import Dataset, DatasetRow, Message
from engine.data.preferences import shared_turns
from engine.data.template import ChatTemplate, Refused, Rendered, template_source
from engine.data.tokenizer import ModelTokenizer
from engine.spec.files import read_struct, rename, sync_folder, write_struct
from engine.spec.prepared import FORMAT, SPLITS, Layout, PreparedHeader, Split, SplitCounts, array_bytes, read_header
from engine.spec.suite import Side

BATCH = 256
RECIPE = 2
"""Rises when the same rows would be prepared differently."""


class DroppedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that nothing can be learned from with this model and length: one line of `dropped.jsonl`."""

    split: Split
    row: int
    line: int
    why: str


def prepare(
    dataset_folder: Path,
    model_folder: Path,
    max_length: int,
    prepared_root: Path,
    layout: Layout = "rows",
    asked: Side = "held-out",
) -> PreparedHeader:
    """Render and tokenise every row for a model; at once when that was done before. `hash` names the folder.

    `asked` other than held-out takes those rows alone, for an evaluation. Raises DataError when there is nothing to
    train on or the dataset cannot be laid out so, ModelError when the tokenizer or template cannot be used,
    StorageError when the disk refuses.
    """
    dataset = _dataset(dataset_folder)
    check_layout(dataset, layout)
    tokenizer = ModelTokenizer(model_folder)
    template = ChatTemplate(template_source(model_folder), tokenizer) if dataset.schema != "text" else None
    header = _blank_header(dataset, dataset_folder, tokenizer, template, max_length, layout, asked)
    done = _prepared(prepared_root / header.hash)
    if done is not None:
        return done
    work = new_work_folder(prepared_root)
    try:
        header = _write(work, dataset_folder, tokenizer, template, header, asked)
        return _place(work, prepared_root / header.hash, header)
    except OSError as error:
        raise from_os(error, f"preparing {dataset.name}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_layout(dataset: Dataset, layout: Layout) -> None:
    """Raises DataError when the dataset's rows cannot be laid out so."""
    if layout in ("rows", dataset.layout):
        return
    what = "pairs of a chosen and a rejected answer" if layout == "pairs" else "answers rated good or bad"
    raise DataError(
        f"{dataset.name} has no {what}.",
        f"Its rows are of the schema “{dataset.schema}”; this way of training compares answers.",
        "Choose a dataset of that kind, or train on examples instead (SFT).",
    )


def _dataset(folder: Path) -> Dataset:
    try:
        return read_struct(folder / "dataset.json", Dataset)
    except (OSError, msgspec.MsgspecError) as error:
        raise damaged(folder, "dataset.json is missing or cannot be read") from error


def _blank_header(
    dataset: Dataset,
    folder: Path,
    tokenizer: ModelTokenizer,
    template: ChatTemplate | None,
    max_length: int,
    layout: Layout,
    asked: Side,
) -> PreparedHeader:
    """Everything known before the rows are read; its hash is the content key."""
    template_hash = template.hash if template else ""
    rows = _file_hash(folder / "rows.jsonl", folder)
    key = f"{FORMAT}:{RECIPE}:{rows}:{template_hash}:{tokenizer.hash}:{max_length}:{layout}"
    key += "" if asked == "held-out" else f":{asked}"
    return PreparedHeader(
        format=FORMAT,
        hash=hashlib.sha256(key.encode()).hexdigest()[:24],
        dataset=dataset.id,
        dataset_hash=dataset.hash,
        tokenizer_hash=tokenizer.hash,
        template_hash=template_hash,
        layout=layout,
        max_length=max_length,
        vocabulary=tokenizer.vocabulary,
        pad_token=tokenizer.pad,
        end_tokens=end_tokens(tokenizer, template),
        splits={},
        source_rows={},
    )


def _file_hash(file: Path, folder: Path) -> str:
    try:
        with file.open("rb") as rows:
            return hashlib.file_digest(rows, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise damaged(folder, "its rows are missing") from error


def end_tokens(tokenizer: ModelTokenizer, template: ChatTemplate | None) -> tuple[int, ...]:
    """What ends a turn, first the token that training writes there."""
    ends = [tokenizer.added[template.end]] if template else []
    if tokenizer.end_of_text is not None:
        ends.append(tokenizer.end_of_text)
    if not ends:
        raise ModelError(
            "The model has no token that ends a text.",
            "Without one it cannot learn where to stop.",
            "Choose another model.",
            "Or name an eos_token in its tokenizer_config.json.",
        )
    return tuple(dict.fromkeys(ends))


def _prepared(folder: Path) -> PreparedHeader | None:
    try:
        return read_header(folder)
    except (OSError, msgspec.MsgspecError):
        return None


def _place(work: Path, folder: Path, header: PreparedHeader) -> PreparedHeader:
    if _prepared(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)  # left by someone who deleted its header
        rename(work, folder)
        sync_folder(folder.parent)
    return header


class _SplitWriter:
    """Appends the rows of one split to its arrays and counts them."""

    def __init__(self, folder: Path, split: Split, layout: Layout) -> None:
        self._tokens = (folder / f"{split}.tokens").open("wb")
        self._trained = (folder / f"{split}.trained").open("wb")
        self._offsets = folder / f"{split}.offsets"
        self._desired = folder / f"{split}.desired" if layout == "rated" else None
        self.ends = [0]
        self.sources: list[int] = []
        self.desired = bytearray()
        self.trained = self.longest = self.truncated = self.dropped = 0

    def add(self, tokens: Tokens, source: int, desired: bool | None = None) -> None:
        self._tokens.write(array_bytes("i", tokens.ids))
        self._trained.write(array_bytes("B", tokens.trained))
        self.ends.append(self.ends[-1] + len(tokens.ids))
        self.sources.append(source)
        self.desired.append(desired is True)
        self.trained += sum(tokens.trained)
        self.longest = max(self.longest, len(tokens.ids))

    def close(self) -> SplitCounts:
        self._tokens.close()
        self._trained.close()
        self._offsets.write_bytes(array_bytes("q", self.ends))
        if self._desired is not None:
            self._desired.write_bytes(self.desired)
        return SplitCounts(
            rows=len(self.sources),
            tokens=self.ends[-1],
            trained_tokens=self.trained,
            longest=self.longest,
            truncated=self.truncated,
            dropped=self.dropped,
        )


def _write(
    work: Path,
    folder: Path,
    tokenizer: ModelTokenizer,
    template: ChatTemplate | None,
    header: PreparedHeader,
    asked: Side,
) -> PreparedHeader:
    writers = {split: _SplitWriter(work, split, header.layout) for split in SPLITS}
    first: DroppedRow | None = None
    with (work / "dropped.jsonl").open("wb") as file:
        for number, row, answers in _tokenised(folder, tokenizer, template, header.layout):
            side = _side(row.split, asked)
            if side not in writers:
                continue  # the test side is never trained on
            why = _add(writers[side], number, row, answers, header, template is None)
            if why:
                dropped = DroppedRow(split=row.split, row=number, line=row.line, why=why)
                writers[side].dropped += 1
                file.write(msgspec.json.encode(dropped) + b"\n")
                first = first or dropped
    counts = {split: writer.close() for split, writer in writers.items()}
    if asked == "held-out" and counts["train"].trained_tokens == 0:
        raise _nothing_to_train_on(first, header.max_length)
    (work / "template.jinja").write_text(template.source if template else "", encoding="utf-8")
    sources = {split: tuple(writer.sources) for split, writer in writers.items()}
    header = msgspec.structs.replace(header, splits={**counts}, source_rows={**sources})
    write_struct(work / "header.json", header)
    return header


def _side(split: Split, asked: Side) -> Split | None:
    """Where a row is written; None leaves it out."""
    if asked == "held-out":
        return split
    return "validation" if asked in ("all", split) else None


Answers = list[Tokens | Refused]
"""The tokens of a row: one conversation, or the chosen and the rejected one of a pair."""


def _tokenised(
    folder: Path, tokenizer: ModelTokenizer, template: ChatTemplate | None, layout: Layout
) -> Iterator[tuple[int, DatasetRow, Answers]]:
    """Every row with its number and its tokens, computed in batches."""
    rows = enumerate(rows_in(folder))
    while batch := list(islice(rows, BATCH)):
        only = [row for _, row in batch]
        if template is None:
            results: list[Answers] = [[each] for each in _plain(only, tokenizer)]
        else:
            results = _conversations(only, tokenizer, template, layout)
        for (number, row), result in zip(batch, results, strict=True):
            yield number, row, result


def _conversations(
    rows: list[DatasetRow], tokenizer: ModelTokenizer, template: ChatTemplate, layout: Layout
) -> list[Answers]:
    marked = [_marked(row, template, layout) for row in rows]
    tokens = iter(tokenise([each for row in marked for each in row if not isinstance(each, Refused)], tokenizer))
    return [[each if isinstance(each, Refused) else next(tokens) for each in row] for row in marked]


def _marked(row: DatasetRow, template: ChatTemplate, layout: Layout) -> list[Rendered | Refused]:
    """The row's conversations with what is learned: all of the assistant's turns, or the compared answers alone."""
    if layout == "pairs":
        shared = shared_turns(row.messages, row.rejected)
        return [_mark(template, talk, shared, row.tools) for talk in (row.messages, row.rejected)]
    if layout == "rated":
        return [_mark(template, row.messages, len(row.messages) - 1, row.tools)]
    if row.desired is False:
        return [Refused("Its answer is rated bad, and examples are learned from good ones.")]
    return [_mark(template, row.messages, 0, row.tools)]


def _mark(template: ChatTemplate, messages: tuple[Message, ...], start: int, tools: str) -> Rendered | Refused:
    try:
        return template.mark(messages, start=start, tools=tools)
    except Refused as error:
        return error


def _plain(rows: list[DatasetRow], tokenizer: ModelTokenizer) -> list[Tokens | Refused]:
    """Plain text: every token is learned, and one that ends the text; a beginning token, where there is one, is not."""
    bos = tokenizer.token_id("bos_token") if tokenizer.adds_bos else None
    end = tokenizer.end_of_text
    before, after = [] if bos is None else [bos], [] if end is None else [end]
    return [
        Tokens([*before, *encoding.ids, *after], [0] * len(before) + [1] * (len(encoding.ids) + len(after)))
        for encoding in tokenizer.encode([row.text for row in rows])
    ]


def _add(
    writer: _SplitWriter, number: int, row: DatasetRow, answers: Answers, header: PreparedHeader, plain: bool
) -> str:
    """Write a row within the length, a pair whole or not at all; why not, when nothing of it can be learned."""
    length = header.max_length
    if plain:
        return _add_text(writer, number, answers[0], length)
    fitting: list[Tokens] = []
    for each in answers:
        fits = _fitted(each, length)
        if isinstance(fits, str):
            return fits
        fitting.append(fits)
    if len(fitting) == 2 and fitting[0] == fitting[1]:
        return f"Within {length} tokens the chosen and the rejected answer are the same."
    writer.truncated += any(isinstance(each, Tokens) and len(each.ids) > length for each in answers)
    for fits in fitting:
        writer.add(fits, number, row.desired)
    return ""


def _add_text(writer: _SplitWriter, number: int, text: Tokens | Refused, length: int) -> str:
    if isinstance(text, Refused):
        return str(text)
    for at in range(0, len(text.ids), length):
        writer.add(Tokens(text.ids[at : at + length], text.trained[at : at + length]), number)
    return ""


def _fitted(tokens: Tokens | Refused, length: int) -> Tokens | str:
    """The tokens cut to the length, or why nothing of them can be learned."""
    if isinstance(tokens, Refused):
        return str(tokens)
    cut = Tokens(tokens.ids[:length], tokens.trained[:length])
    if any(cut.trained):
        return cut
    if any(tokens.trained):
        return f"The prompt alone fills the context length of {length} tokens."
    return "The chat template leaves nothing of the answer."


def _nothing_to_train_on(first: DroppedRow | None, length: int) -> DataError:
    return DataError(
        "There is nothing to train on.",
        f"No row has a token to learn from. Line {first.line}: {first.why}" if first else "No row is left.",
        f"Raise the context length (now {length} tokens), or shorten the prompts.",
        "Check the mapping of the columns, and that the model's chat template fits the data.",
    )
