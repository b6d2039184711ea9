"""The table of measures: what each is called, what it says, which way is better, and the marks of every example.

Calls sacrebleu for some: use it in a spawned process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import msgspec

from engine.results.metrics import overlap, structured, words
from engine.results.metrics.checks import Asked, CheckFailed, run_check, run_expression
from engine.results.metrics.labels import by_words, label_of, labels_of
from engine.spec.records import Card
from engine.spec.suite import Check, Metric, Pattern, Suite

Better = Literal["more", "less", "neither"]
"""Which way is better; a measure of `neither` describes, and no verdict rests on it."""
OneAnswer = Callable[[str, str], float | bool]


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure in words. `unit`: share (0 to 1, shown in percent), ratio, nats, or rating (1 to 5)."""

    title: str
    what: str
    better: Better = "more"
    unit: Literal["share", "ratio", "nats", "rating"] = "share"


TABLE: dict[Metric, Measure] = {
    "exact_match": Measure(title="exact match", what="The same words in the same order. " + " ".join(words.RULES)),
    "token_precision": Measure(
        title="token precision", what="The share of said words that were wanted.", better="neither"
    ),
    "token_recall": Measure(title="token recall", what="The share of wanted words that were said.", better="neither"),
    "token_f1": Measure(title="token F1", what="Said and wanted words in common, whatever their order."),
    "bleu": Measure(title="BLEU", what="Sequences of up to four words in common."),
    "chrf": Measure(title="chrF", what="Sequences of up to six letters in common; fair to endings and compounds."),
    "rouge_l": Measure(title="ROUGE-L", what="The longest sequence of words that both have in this order."),
    "length_ratio": Measure(
        title="length ratio", what="Words said for each word wanted.", better="neither", unit="ratio"
    ),
    "length_fit": Measure(
        title="length fit", what="How near the answer's length is to the reference's.", better="neither"
    ),
    "loss": Measure(
        title="loss on the reference",
        what="How surprised the model is by the reference: nats for each of its tokens. Its exponential is perplexity.",
        better="less",
        unit="nats",
    ),
    "label": Measure(title="label accuracy", what="The answer names the wanted label, and no other."),
    "json_valid": Measure(title="valid JSON", what="The answer can be read as JSON of the wanted kind."),
    "json_fields": Measure(title="right JSON fields", what="The share of fields that have the wanted value."),
}
"""Every measure of one answer beside its reference."""

ONE_ANSWER: dict[Metric, OneAnswer] = {
    "exact_match": words.exact_match,
    "token_precision": words.token_precision,
    "token_recall": words.token_recall,
    "token_f1": words.token_f1,
    "bleu": overlap.bleu,
    "chrf": overlap.chrf,
    "rouge_l": overlap.rouge_l,
    "length_ratio": words.length_ratio,
    "length_fit": words.length_fit,
    "json_valid": structured.json_valid,
    "json_fields": structured.json_fields,
}


class Answered(msgspec.Struct, frozen=True):
    """One example as the measures see it: both models' answers, and their losses in nats for each reference token."""

    prompt: str
    reference: str
    base: str
    tuned: str
    base_loss: float
    tuned_loss: float


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What one measure says of every example, base and tuned."""

    name: str
    measure: Measure
    base: tuple[float, ...]
    tuned: tuple[float, ...]

    @property
    def differences(self) -> list[float]:
        """Tuned - base, by example."""
        return [after - before for before, after in zip(self.base, self.tuned, strict=True)]


def marked(suite: Suite, examples: Sequence[Answered]) -> tuple[list[Marks], list[Card]]:
    """Every measure of the suite, and the cards of what could not be measured."""
    found: list[Marks] = []
    problems: list[Card] = []
    for name in suite.metrics:
        found.append(_marks(name, examples))
    own = [*(partial(_held, each) for each in suite.patterns), *(partial(_checked, each) for each in suite.checks)]
    for mark in own:
        try:
            found.append(mark(examples))
        except CheckFailed as error:
            problems.append(error.card)
    return found, problems


def _marks(name: Metric, examples: Sequence[Answered]) -> Marks:
    """The marks of one measure."""
    if name == "loss":
        base, tuned = tuple(each.base_loss for each in examples), tuple(each.tuned_loss for each in examples)
        return Marks(name=name, measure=TABLE[name], base=base, tuned=tuned)
    if name != "label":
        return _each(name, TABLE[name], examples, ONE_ANSWER[name])
    known = by_words(labels_of([each.reference for each in examples]))
    return _each(name, TABLE[name], examples, partial(_names, known))


def _each(name: str, measure: Measure, examples: Sequence[Answered], mark: OneAnswer) -> Marks:
    return Marks(
        name=name,
        measure=measure,
        base=tuple(float(mark(each.base, each.reference)) for each in examples),
        tuned=tuple(float(mark(each.tuned, each.reference)) for each in examples),
    )


def _names(known: Mapping[str, str], answer: str, reference: str) -> bool:
    return label_of(answer, known) == known[words.normalised(reference)]


def _held(pattern: Pattern, examples: Sequence[Answered]) -> Marks:
    what = f"The answer {'has' if pattern.wanted else 'does not have'} “{pattern.text}”."
    measure, name = Measure(title=pattern.name, what=what), f"pattern: {pattern.name}"
    if not pattern.regex:
        return _each(name, measure, examples, lambda answer, _: structured.holds(pattern, answer))
    values = run_expression(pattern, [said for pairs in _by_model(examples) for _, said in pairs])
    return Marks(name=name, measure=measure, base=tuple(values[: len(examples)]), tuned=tuple(values[len(examples) :]))


def _checked(check: Check, examples: Sequence[Answered]) -> Marks:
    """Both models' answers go through one process, the base's first."""
    sides = [[Asked(each.prompt, said, each.reference) for each, said in pairs] for pairs in _by_model(examples)]
    values = run_check(check, [*sides[0], *sides[1]])
    return Marks(
        name=f"check: {check.name}",
        measure=Measure(title=check.name, what="A check of your own."),
        base=tuple(values[: len(examples)]),
        tuned=tuple(values[len(examples) :]),
    )


def _by_model(examples: Sequence[Answered]) -> list[list[tuple[Answered, str]]]:
    return [[(each, each.base) for each in examples], [(each, each.tuned) for each in examples]]
