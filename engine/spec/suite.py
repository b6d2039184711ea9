"""A suite: what is measured on the answers of an evaluation. Written into its spec, so that it can be repeated.

Knows the names of the measures, not how they are computed (engine/results/metrics).
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

Side = Literal["held-out", "test", "all"]
"""Rows that are asked: those held out from training, those of the test side, or every row of a dataset."""
Metric = Literal[
    "exact_match",
    "token_precision",
    "token_recall",
    "token_f1",
    "bleu",
    "chrf",
    "rouge_l",
    "length_ratio",
    "length_fit",
    "loss",
    "label",
    "json_valid",
    "json_fields",
]
"""What can be measured of one answer beside its reference; `loss` needs no answer, only the reference."""
METRICS: tuple[Metric, ...] = get_args(Metric)
TEXT: tuple[Metric, ...] = (
    "exact_match",
    "token_precision",
    "token_recall",
    "token_f1",
    "bleu",
    "chrf",
    "rouge_l",
    "length_ratio",
    "length_fit",
    "loss",
)
LABELS: tuple[Metric, ...] = ("exact_match", "label", "token_f1", "loss")
JSON: tuple[Metric, ...] = ("json_fields", "json_valid", "exact_match", "token_f1", "length_fit", "loss")


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something every answer must have, or (`wanted` false) must not: words, or a regular expression."""

    name: str
    text: str
    regex: bool = False
    wanted: bool = True


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check of the user's own: Python with a function `check(prompt, answer, reference)`.

    It returns true or false, or a number from 0 to 1, and runs in a process of its own, `seconds` for each answer and
    `megabytes` of memory at most.
    """

    name: str
    source: str
    seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
    megabytes: Annotated[int, msgspec.Meta(ge=32, le=65_536)] = 512


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is measured, and which measure stands for accuracy in the score."""

    metrics: tuple[Metric, ...] = TEXT
    main: Metric = "token_f1"
    patterns: tuple[Pattern, ...] = ()
    checks: tuple[Check, ...] = ()


TEXT_SUITE = Suite()
LABEL_SUITE = Suite(metrics=LABELS, main="label")
JSON_SUITE = Suite(metrics=JSON, main="json_fields")
