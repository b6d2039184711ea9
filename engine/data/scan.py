"""One pass over a file: records become rows under a mapping, problems are kept, and everything is counted.

`records = rows + problems` always holds.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.convert import as_text, convert
from engine.data.nouns import SURE, Detection, Format, LineProblem, Mapping, Record, Row
from engine.data.read import read_records
from engine.data.roles import MOST_LABELS, columns_of, detect_roles
from engine.data.split import content_hash

SAMPLED = 1_000
PROBLEMS_KEPT = 100
ANSWERS_COUNTED = 10_000
"""Different answers that are told apart; a file where one answer rules shows that early."""
COLUMNS = ("messages", "prompt", "context", "answer", "system", "text", "label")
NEEDED: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "sharegpt": ("messages",),
    "instruction": ("prompt", "answer"),
    "pairs": ("prompt", "answer"),
    "classification": ("text", "label"),
    "text": ("text",),
}


class Tally:
    """What is counted while a file is read: rows, problems, lengths, repeats, and traces of personal data."""

    def __init__(self) -> None:
        self.rows = 0
        self.problem_count = 0
        self.problems: list[LineProblem] = []
        self.hashes: list[bytes] = []
        self.characters = 0
        self.prompt_characters = 0
        self.answer_characters = 0
        self.longest = 0
        self.mended = 0
        self.answers: Counter[int] = Counter()

    @property
    def records(self) -> int:
        return self.rows + self.problem_count

    @property
    def duplicates(self) -> int:
        """Rows that repeat an earlier one."""
        return self.rows - len(set(self.hashes))

    def add(self, row: Row) -> None:
        """Count a row."""
        prompt, answer = len(row.prompt), len(row.answer)
        self.rows += 1
        self.hashes.append(content_hash(row))
        self.characters += prompt + answer
        self.prompt_characters += prompt
        self.answer_characters += answer
        self.longest = max(self.longest, prompt + answer)
        self.mended += "\ufffd" in row.answer or "Ã©" in row.answer or "â€™" in row.answer
        answer_key = hash(row.answer)
        if answer_key in self.answers or len(self.answers) < ANSWERS_COUNTED:
            self.answers[answer_key] += 1

    def refuse(self, problem: LineProblem) -> None:
        """Count a problem; the first hundred are kept whole."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)


def sample_records(path: Path, format: Format) -> list[Record]:
    """The first good records."""
    good = (each for each in read_records(path, format) if isinstance(each, Record))
    return list(islice(good, SAMPLED))


def scan(path: Path, format: Format, mapping: Mapping, tally: Tally) -> Iterator[tuple[int, Row] | LineProblem]:
    """Each row with its line, or a problem, counted as it passes."""
    for each in read_records(path, format):
        result = convert(each, mapping) if isinstance(each, Record) else each
        if isinstance(result, LineProblem):
            tally.refuse(result)
            yield result
        elif isinstance(each, Record):
            tally.add(result)
            yield each.line, result


def settle(path: Path, format: Format, sample: list[Record], mapping: Mapping | None) -> tuple[Detection, Mapping]:
    """The mapping to use: the one given, checked, or the one detected. Raises DataError when neither will do."""
    detection = detect_roles(sample)
    columns = columns_of(sample)
    if mapping is not None:
        _check(mapping, columns)
    elif detection.sure and detection.mapping is not None:
        mapping = detection.mapping
    else:
        raise _must_map(path, columns, detection)
    if mapping.shape == "classification" and not mapping.instruction:
        mapping = _with_instruction(path, format, mapping)
    return detection, mapping


def _check(mapping: Mapping, columns: tuple[str, ...]) -> None:
    for role in NEEDED[mapping.shape]:
        if not getattr(mapping, role):
            raise DataError(
                f"The mapping names no column for “{role}”.",
                f"Rows of the shape “{mapping.shape}” need: {', '.join(NEEDED[mapping.shape])}.",
                f"Choose the column for “{role}”: {', '.join(columns)}.",
            )
    for role in COLUMNS:
        column: str = getattr(mapping, role)
        if column and column not in columns:
            near = difflib.get_close_matches(column, columns, 1)
            raise DataError(
                f"There is no column “{column}” (for {role}).",
                f"The file has these columns: {', '.join(columns)}.",
                f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
            )


def _must_map(path: Path, columns: tuple[str, ...], detection: Detection) -> DataError:
    guess = detection.mapping
    hint = "Say which column is the question and which the answer (or which one holds the text)."
    if guess is not None:
        parts = [f"{role}={getattr(guess, role)}" for role in COLUMNS if getattr(guess, role)]
        hint = f"If this guess is right, confirm it: {guess.shape}, {', '.join(parts)}."
    return DataError(
        f"It is not clear what the columns of {path.name} mean.",
        f"Found: {', '.join(columns) or 'none'}. The best guess is {detection.confidence:.0%} sure, below {SURE:.0%}.",
        hint,
        "Or give the columns usual names, such as question and answer.",
        help="data",
    )


def _with_instruction(path: Path, format: Format, mapping: Mapping) -> Mapping:
    """The mapping with a sentence that names the labels, all of them, so that every row asks the same."""
    labels: set[str] = set()
    for each in read_records(path, format):
        if isinstance(each, Record) and (label := as_text(each.values.get(mapping.label))).strip():
            labels.add(label)
        if len(labels) > MOST_LABELS:
            return msgspec.structs.replace(mapping, instruction="Name the category of this text.")
    listed = ", ".join(sorted(labels))
    sentence = f"Name the category of this text. Answer with one of: {listed}."
    return msgspec.structs.replace(mapping, instruction=sentence)


def nothing_usable(path: Path, tally: Tally) -> DataError:
    """The card for a file without one good row, with the first thing that is wrong."""
    first = tally.problems[0] if tally.problems else None
    why = f"Line {first.line}: {first.what}" if first else "It has no records."
    if tally.problem_count > 1:
        why += f" (and {tally.problem_count - 1:,} more problems)"
    return DataError(
        f"No row of {path.name} can be used.",
        why,
        first.fix if first else "Choose another file.",
        "Check that the columns are mapped as you mean them.",
    )
