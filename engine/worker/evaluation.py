"""Evaluation: the base and each tuned model answer the same held-out rows, and every answer is written as it comes.

Prompts and references are read off the prepared rows, so evaluation sees the very tokens that validation saw. Scores
and statistics are made from the answers by engine/results, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import torch
from tokenizers import Tokenizer
from torch import nn

from engine.spec.answers import BASE, Answer
from engine.spec.exits import Exit
from engine.spec.files import LineReader, LineWriter
from engine.spec.folder import RunFolder
from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.records import RunState
from engine.spec.runspec import AdapterRef, EvaluateJob, ModelRef
from engine.worker.control import ControlFile, Wish
from engine.worker.fault import Fault
from engine.worker.generation import generate, grouped
from engine.worker.kept_answers import Kept, KeptAnswers, row_key
from engine.worker.model import attach, computing, load_base, using
from engine.worker.objective import Objective, collate
from engine.worker.products import quicken
from engine.worker.reporter import Reporter


class Question(msgspec.Struct, frozen=True):
    """A held-out row as prompt and reference: everything before the last answer, and that answer without its end."""

    row: int
    prompt: list[int]
    reference: list[int]
    key: str
    trained_tokens: int


def question_of(split: PreparedSplit, row: int) -> Question | None:
    """The last trained stretch of a row is its reference; None when nothing precedes it (raw text)."""
    tokens, trained = split.row(row)
    end = max((i for i, flag in enumerate(trained) if flag), default=-1) + 1
    start = end
    while start > 0 and trained[start - 1]:
        start -= 1
    if start == 0 or end == start:
        return None
    answer = [token for token in tokens[start:end] if token not in split.header.end_tokens]
    return Question(row, list(tokens[:start]), answer, row_key(tokens, trained), sum(trained[1:]))


def questions_of(split: PreparedSplit, most: int) -> list[Question]:
    """The first questions; of compared answers only the chosen ones are references, of rated ones the good ones."""
    layout = split.header.layout
    good = [
        row
        for row in range(len(split))
        if not (layout == "pairs" and row % 2) and not (layout == "rated" and not split.desired[row])
    ]
    return [question for row in good if (question := question_of(split, row))][:most]


class Evaluation:
    """One evaluation run. Goes on where an earlier attempt stopped: answers already written are not asked again."""

    def __init__(self, job: EvaluateJob, folder: RunFolder, reporter: Reporter, control: ControlFile) -> None:
        self.job = job
        self.folder = folder
        self.reporter = reporter
        self.control = control
        self.tokenizer = Tokenizer.from_file(str(Path(job.model.path) / "tokenizer.json"))
        self.reused = 0

    def run(self) -> Exit:
        """Answer every question with every model. Raises Fault."""
        self.rows = read_split(Path(self.job.data.prepared), "validation")
        self.questions = self._questions()
        self.done = {(answer.model, answer.row) for answer in LineReader(self.folder.results_file, Answer).read()}
        self.total = len(self.questions) * (1 + len(self.job.adapters))
        self.reporter.at(len(self.done), self.total)
        self.reporter.enter(RunState.RUNNING)
        self.results = LineWriter(self.folder.results_file)
        try:
            missing = self._reuse()
            for adapter, model in self._models(missing):
                if not self._answer_all(adapter, model, missing[_name(adapter)]):
                    return Exit.STOPPED if self.control.wish is Wish.STOP else Exit.PAUSED
        finally:
            self.results.close()
        self.reporter.event("finished", f"{self.total} answers, {self.reused} of them known before.", known=self.reused)
        return Exit.COMPLETED

    def _questions(self) -> list[Question]:
        found = questions_of(self.rows, self.job.rows)
        if not found:
            raise Fault(
                Exit.BAD_DATA,
                "There are no held-out questions to answer.",
                "The dataset's held-out rows have no prompt with an answer after it.",
                "Import more rows, so that some can be held out.",
            )
        return found

    def _reuse(self) -> dict[str, list[Question]]:
        """Write down what is known from before, and return what is still open, by model."""
        missing: dict[str, list[Question]] = {}
        for adapter in (None, *self.job.adapters):
            kept, name = self._kept(adapter), _name(adapter)
            kept.close()
            missing[name] = []
            for question in self.questions:
                if (name, self._source(question)) in self.done:
                    continue
                if known := kept.find(question.key):
                    self._write(name, question, known)
                    self.reused += 1
                else:
                    missing[name].append(question)
        self._progress()
        return missing

    def _kept(self, adapter: AdapterRef | None) -> KeptAnswers:
        return KeptAnswers(self.job, adapter, self.rows.header.end_tokens)

    def _models(self, missing: dict[str, list[Question]]) -> Iterator[tuple[AdapterRef | None, nn.Module]]:
        """Those with questions left: the base and each adapter on one loaded base, then whole models one by one."""
        light = [each for each in self.job.adapters if not each.whole and missing[each.name]]
        if light or missing[BASE]:
            base: nn.Module | None = quicken(load_base(self.job.model, self.job.precision).eval())
            if missing[BASE]:
                yield None, base
            for adapter in light:
                base = attach(base, adapter)
                with using(base, adapter.name) as model:
                    yield adapter, model
            base = None
        for adapter in self.job.adapters:
            if adapter.whole and missing[adapter.name]:
                yield adapter, load_whole(adapter, self.job.precision)

    def _answer_all(self, adapter: AdapterRef | None, model: nn.Module, questions: list[Question]) -> bool:
        """Answer what is still open, nearly equal prompts together; False when asked to end."""
        objective, kept = Objective(model).eval(), self._kept(adapter)  # it leaves a model in training mode
        try:
            for group in grouped(model, [question.prompt for question in questions], self.job.batch_size):
                if self.control.look():
                    return False
                asked = [questions[i] for i in group]
                for question, answer in zip(asked, self._answers(model, objective, asked), strict=True):
                    kept.keep(answer)
                    self._write(_name(adapter), question, answer)
                self._progress()
        finally:
            objective.detach()
            kept.close()
        return True

    @torch.no_grad()
    def _answers(self, model: nn.Module, objective: Objective, questions: Sequence[Question]) -> list[Kept]:
        device = next(model.parameters()).device
        with computing(self.job.precision, device):
            batch = collate(self.rows, [question.row for question in questions], device)
            losses = objective.token_losses(batch)
            sums = torch.zeros(len(questions), device=device).index_add(0, batch.rows, losses).tolist()
            said = answers_of(
                model,
                [question.prompt for question in questions],
                max_new_tokens=self.job.max_new_tokens,
                end_tokens=self.rows.header.end_tokens,
            )
        return [
            Kept(row=question.key, said=tuple(tokens), nll=nll)
            for question, tokens, nll in zip(questions, said, sums, strict=True)
        ]

    def _write(self, model: str, question: Question, kept: Kept) -> None:
        """One line of the results."""
        answer = Answer(
            row=self._source(question),
            model=model,
            prompt=self._text(question.prompt),
            reference=self._text(question.reference),
            text=self._text(kept.said),
            tokens=len(kept.said),
            complete=bool(kept.said) and kept.said[-1] in self.rows.header.end_tokens,
            nll=kept.nll,
            trained_tokens=question.trained_tokens,
        )
        self.results.write(answer)
        self.done.add((model, answer.row))

    def _progress(self) -> None:
        self.reporter.at(len(self.done), self.total)
        self.reporter.metrics(len(self.done), progress=len(self.done) / self.total)

    def _source(self, question: Question) -> int:
        """The row's number in its dataset."""
        return self.rows.header.source_rows["validation"][question.row]

    def _text(self, tokens: Sequence[int]) -> str:
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True).strip()


def _name(adapter: AdapterRef | None) -> str:
    return adapter.name if adapter else BASE


def answers_of(
    model: nn.Module, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, end_tokens: Sequence[int]
) -> list[list[int]]:
    """What the model says to each prompt, greedily, to the end of the answer or the most tokens."""
    said: list[list[int]] = [[] for _ in prompts]
    for step in generate(model, prompts, max_new_tokens=max_new_tokens, end_tokens=end_tokens):
        for tokens, token in zip(said, step, strict=True):
            if token is not None:
                tokens.append(token)
    return said


def load_whole(adapter: AdapterRef, precision: str) -> nn.Module:
    """A fully fine-tuned model from its own folder."""
    return quicken(load_base(ModelRef(path=adapter.path, name=adapter.name, fingerprint=""), precision).eval())
