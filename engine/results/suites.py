"""Which suite fits a dataset, and the job that has its rows answered by the base and by versions of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec

from engine.core.errors import DataError
from engine.data.library import rows_in
from engine.data.nouns import Dataset
from engine.results.care import checked_base
from engine.results.metrics.checks import looked_over
from engine.results.metrics.structured import expression, mostly_json
from engine.results.versions import Version, Versions
from engine.spec.prepared import read_header
from engine.spec.runspec import AdapterRef, DataRef, EvaluateJob, ModelRef
from engine.spec.suite import JSON_SUITE, LABEL_SUITE, TEXT_SUITE, Check, Pattern, Side, Suite

EVALUATED_ROWS = 1_000
LONGEST_ANSWER = 512
ANSWERED_AT_ONCE = 32
LOOKED_AT = 200
LABEL_SCHEMAS = ("classification", "multiple_choice")


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and what is measured of the answers. `prepared` has the rows in the model's tokens."""

    dataset: Dataset
    prepared: Path
    side: Side = "held-out"
    suite: Suite
    rows: int = EVALUATED_ROWS


def suite_for(dataset: Dataset, folder: Path) -> Suite:
    """Labels for datasets of labels, fields where the answers are JSON, words otherwise."""
    if dataset.schema in LABEL_SCHEMAS:
        return LABEL_SUITE
    answers = [row.messages[-1].content for row in islice(rows_in(folder), LOOKED_AT) if row.messages]
    return JSON_SUITE if mostly_json(answers) else TEXT_SUITE


def with_extras(suite: Suite, patterns: Sequence[Pattern], checks: Sequence[Check]) -> Suite:
    """The suite with patterns and checks of the user's own. Raises DataError for one that cannot be used."""
    for pattern in patterns:
        if pattern.regex:
            expression(pattern)
    for check in checks:
        looked_over(check)
    names = [each.name for each in (*patterns, *checks)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise DataError(
            f"Two measures are called “{sorted(twice)[0]}”.",
            "Each needs a name of its own, or their results could not be told apart.",
            "Give one of them another name.",
        )
    return msgspec.structs.replace(suite, patterns=tuple(patterns), checks=tuple(checks))


def evaluation_job(versions: Versions, chosen: Sequence[Version], questions: Questions, answers: Path) -> EvaluateJob:
    """The base and these versions of it on the same rows. Raises DataError or ModelError when that cannot be.

    `answers` is the folder of answers that are kept.
    """
    first = chosen[0]
    for version in chosen:
        if version.model_path != first.model_path:
            raise DataError(
                "These versions cannot be asked together.",
                f"{version.title} was trained on {version.model}, and {first.title} on {first.model}.",
                "Evaluate them one after the other.",
            )
        checked_base(version)
    header = read_header(questions.prepared)
    if not header.splits["validation"].rows:
        raise _nothing_to_ask(questions)
    return EvaluateJob(
        model=ModelRef(path=first.model_path, name=first.model, fingerprint=first.model_fingerprint),
        data=DataRef(
            prepared=str(questions.prepared),
            dataset=questions.dataset.id,
            name=questions.dataset.name,
            hash=questions.dataset.hash,
        ),
        adapters=tuple(
            AdapterRef(name=version.id, path=str(versions.adapter(version)), whole=version.whole) for version in chosen
        ),
        precision="fp32" if all(version.precision == "fp32" for version in chosen) else "bf16",
        rows=questions.rows,
        max_new_tokens=min(LONGEST_ANSWER, header.splits["validation"].longest + 8),
        batch_size=ANSWERED_AT_ONCE,
        seed=0,
        side=questions.side,
        suite=questions.suite,
        answers=str(answers),
    )


def _nothing_to_ask(questions: Questions) -> DataError:
    which = {"held-out": "held-out rows", "test": "test rows", "all": "rows"}[questions.side]
    return DataError(
        f"{questions.dataset.name} has no {which} to ask.",
        "Without rows that both models answer nothing can be compared.",
        "Import the data again with some rows held out.",
        "Or evaluate on another dataset: --on <dataset>",
    )
