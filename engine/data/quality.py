"""The quality of rows, gathered in the one pass that reads them: every row's marks, near repeats, a seeded sample.

Rows are looked at in batches, by numpy. About 180 bytes a row are kept. Runs in a spawned process.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from itertools import pairwise

import numpy
from numpy.typing import NDArray

from engine.data.language import READ, language_of
from engine.data.marks import MARKS
from engine.data.nouns import Mapping, Message, Row
from engine.data.similar import Signatures
from engine.data.study import Flags, study, study_system
from engine.data.words import Places

BATCH_ROWS, BATCH_CHARACTERS = 2_048, 4_000_000
SAMPLED = 2_000
SEED = 0
LOPSIDED = 10
LONGEST = 2**32 - 1
FEWEST_FOR_OUTLIERS = 20
LARGEST_CLUSTER = 0.1
"""Clusters of near repeats above this share of the rows are a form that all share: they do not bind the split."""


class Quality:
    """Takes rows in as they are read; when all are there, `finish` settles what needs the whole."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._texts: list[str] = []
        self._answers: list[int] = []
        self._row_flags = array("I")
        self._characters = 0
        self._studied: list[tuple[Flags, NDArray[numpy.uint32]]] = []
        self._signatures = Signatures()
        self._dice = random.Random(SEED)
        self._sample: list[str] = []
        self._clusters: Places | None = None
        self.rows = 0
        self.lengths = array("I")
        self.prompt_lengths = array("I")

    def add(self, row: Row, prompt: int, answer: int) -> None:
        """Take a row in; its prompt and its answer have so many characters."""
        system, text, answers_from = self._parts(row)
        self.rows += 1
        self.lengths.append(min(prompt + answer, LONGEST))
        self.prompt_lengths.append(min(prompt, LONGEST))
        self._row_flags.append(self._at_once(row, prompt, answer) | study_system(system))
        self._texts.append(text)
        self._answers.append(answers_from)
        self._characters += len(text)
        self._keep_sample(text)
        if len(self._texts) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._study()

    def _parts(self, row: Row) -> tuple[str, str, int]:
        """The system text, all other words, and where in them the last answer begins."""
        if row.text:
            return "", row.text, 0
        first = row.messages[0]
        system = first.content if first.role == "system" and first.content != self._mapping.system_text else ""
        said = [_words(each) for each in row.messages if each.role != "system"]
        if said and self._mapping.task_text:
            said[0] = said[0].removeprefix(self._mapping.task_text)
        before = sum(map(len, said[:-1])) + len(said) - 1
        if row.rejected:
            said += [_words(each) for each in row.rejected if each not in row.messages]
        return system, "\n".join(said), before

    def _at_once(self, row: Row, prompt: int, answer: int) -> int:
        """The marks that a glance at the row gives."""
        flags = 0
        if row.messages and not _in_order(row.messages):
            flags |= MARKS["role_order"].mask
        if any(each.content != each.content.strip() for each in row.messages) or row.text != row.text.strip():
            flags |= MARKS["untrimmed"].mask
        if self._mapping.schema in ("chat", "instruction") and max(prompt, answer) > 200:
            longer, shorter = max(prompt, answer), min(prompt, answer)
            flags |= MARKS["lopsided"].mask if longer > LOPSIDED * shorter else 0
        return flags

    def _keep_sample(self, text: str) -> None:
        """Reservoir sampling (Vitter 1985, algorithm R): each row is as likely as another to be in it."""
        if len(self._sample) < SAMPLED:
            self._sample.append(text[:READ])
        elif (place := int(self._dice.random() * self.rows)) < SAMPLED:
            self._sample[place] = text[:READ]

    def _study(self) -> None:
        seen = study(self._texts, self._answers)
        self._signatures.add(seen.triples, seen.texts, len(self._texts))
        self._studied.append((seen.flags, seen.tokens.astype(numpy.uint32)))
        self._texts, self._answers, self._characters = [], [], 0

    def clusters(self, contents: array[int]) -> Places:
        """The near-repeat cluster of each row (see `Signatures.clusters`); rows that say the same are in one."""
        if self._clusters is None:
            if self._texts:
                self._study()
            keys = numpy.frombuffer(contents, numpy.uint64)
            self._clusters = self._signatures.clusters(numpy.argsort(keys, kind="stable"))
        return self._clusters

    def binding(self, contents: array[int]) -> array[int]:
        """The clusters that keep rows on one side of the split; empty when there is nothing to keep together."""
        clusters = self.clusters(contents)
        sizes = numpy.bincount(clusters, minlength=len(clusters))
        loose = sizes[clusters] > max(2, LARGEST_CLUSTER * len(clusters))
        bound = numpy.where(loose, numpy.arange(len(clusters)), clusters)
        if (bound == numpy.arange(len(bound))).all():
            return array("Q")
        near = array("Q")
        near.frombytes(bound.astype(numpy.uint64).data.cast("B"))
        return near

    def finish(self, keys: array[int], sides: bytes, context: int) -> Flags:
        """Every row's marks, those that need all rows included; `keys` are hashes of what the rows say."""
        clusters = self.clusters(keys)
        flags = numpy.frombuffer(self._row_flags, numpy.uint32).copy()
        if self._studied:
            flags |= numpy.concatenate([each for each, _ in self._studied])
        contents, side = numpy.frombuffer(keys, numpy.uint64), numpy.frombuffer(sides, numpy.uint8)
        repeats = _repeats(contents)
        flags[repeats] |= MARKS["duplicates"].mask
        if self._mapping.schema != "kto":  # there a good and a bad answer to one prompt may be much alike
            flags[(clusters != numpy.arange(len(clusters))) & ~repeats] |= MARKS["near_duplicates"].mask
        leaks = _leaks(numpy.unique(contents, return_inverse=True)[1], side)
        flags[leaks] |= MARKS["leakage"].mask
        flags[_leaks(clusters, side) & ~leaks] |= MARKS["near_leakage"].mask
        flags[_outliers(numpy.frombuffer(self.lengths, numpy.uint32))] |= MARKS["length_outliers"].mask
        flags[self._untrainable(context)] |= MARKS["nothing_to_train"].mask
        return flags

    @property
    def tokens(self) -> NDArray[numpy.uint32]:
        """The tokens of each row by estimate."""
        return numpy.concatenate([each for _, each in self._studied] or [numpy.empty(0, numpy.uint32)])

    def _untrainable(self, context: int) -> NDArray[numpy.bool_]:
        """Conversations whose prompt alone fills the context, so that no answer is left to learn."""
        if self._mapping.schema in ("text", "chat"):
            return numpy.zeros(self.rows, bool)
        prompts, whole = (numpy.frombuffer(each, numpy.uint32) for each in (self.prompt_lengths, self.lengths))
        return self.tokens * (prompts / numpy.maximum(whole, 1)) >= context

    def languages(self) -> tuple[Counter[str], int]:
        """How many rows of the sample are in each language, and how many could be told at all."""
        found = Counter(language_of(text) for text in self._sample)
        del found[""]
        return found, sum(found.values())


def _words(message: Message) -> str:
    return message.content + "".join(f"\n{call.arguments}" for call in message.tool_calls)


def _in_order(messages: tuple[Message, ...]) -> bool:
    """User and assistant take turns, the user begins, the assistant has the last word; tools answer calls."""
    said = [each.role for each in messages if each.role != "system"]
    if said[0] != "user" or said[-1] != "assistant":
        return False
    return not any(one == other and one != "tool" for one, other in pairwise(said))


def _repeats(contents: NDArray[numpy.uint64]) -> NDArray[numpy.bool_]:
    """Rows that say what an earlier one says."""
    first = numpy.unique(contents, return_index=True)[1]
    repeats = numpy.ones(len(contents), bool)
    repeats[first] = False
    return repeats


def _leaks(groups: Places, sides: NDArray[numpy.uint8]) -> NDArray[numpy.bool_]:
    """Held-out rows of a group that is trained on too."""
    trained = numpy.zeros(int(groups.max(initial=0)) + 1, bool)
    trained[groups[sides == 0]] = True
    return trained[groups] & (sides != 0)


def _outliers(lengths: NDArray[numpy.uint32]) -> NDArray[numpy.bool_]:
    """Rows far outside the others: beyond three times the quartiles' distance, in ratios, and four times the median."""
    if len(lengths) < FEWEST_FOR_OUTLIERS:
        return numpy.zeros(len(lengths), bool)
    logs = numpy.log(numpy.maximum(lengths, 1))
    low, middle, high = numpy.quantile(logs, (0.25, 0.5, 0.75))
    far = max(3 * (high - low), 0.0)
    outside = (logs < low - far) | (logs > high + far)
    return outside & (numpy.abs(logs - middle) > numpy.log(4))
