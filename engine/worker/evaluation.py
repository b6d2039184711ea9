"""Evaluation: the base and each tuned model answer the same held-out rows, and every answer is written as it comes.

Prompts and references are read off the prepared rows, so evaluation sees the very tokens that validation saw. Scores
and statistics are made from the answers by engine/results, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from engine.spec.runspec import AdapterRef, EvaluateJob
from engine.worker.batches import micro_batches
from engine.worker.control import ControlFile, Wish
from engine.worker.fault import Fault
from engine.worker.generation import generate
from engine.worker.model import attach, computing, load_base, using
from engine.worker.objective import Objective, collate
from engine.worker.reporter import Reporter


class Question(msgspec.Struct, frozen=True):
    """A held-out row as prompt and reference: everything before the last answer, and that answer without its end."""

    row: int
    prompt: list[int]
    reference: list[int]


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
    return Question(row, list(tokens[:start]), answer)


class Evaluation:
    """One evaluation run. Goes on where an earlier attempt stopped: answers already written are not asked again."""

    def __init__(self, job: EvaluateJob, folder: RunFolder, reporter: Reporter, control: ControlFile) -> None:
        self.job = job
        self.folder = folder
        self.reporter = reporter
        self.control = control
        self.tokenizer = Tokenizer.from_file(str(Path(job.model.path) / "tokenizer.json"))

    def run(self) -> Exit:
        """Answer every question with every model. Raises Fault."""
        rows = read_split(Path(self.job.data.prepared), "validation")
        self.end_tokens = rows.header.end_tokens
        questions = self._questions(rows)
        models = [BASE, *(adapter.name for adapter in self.job.adapters)]
        self.done = {(answer.model, answer.row) for answer in LineReader(self.folder.results_file, Answer).read()}
        self.total = len(questions) * len(models)
        self.reporter.at(len(self.done), self.total)
        self.reporter.enter(RunState.RUNNING)
        results = LineWriter(self.folder.results_file)
        try:
            for name, model in self._models():
                if not self._answer_all(name, model, rows, questions, results):
                    return Exit.STOPPED if self.control.wish is Wish.STOP else Exit.PAUSED
        finally:
            results.close()
        self.reporter.event("finished", f"{self.total} answers.")
        return Exit.COMPLETED

    def _questions(self, rows: PreparedSplit) -> list[Question]:
        found = [question for row in range(len(rows)) if (question := question_of(rows, row))][: self.job.rows]
        if not found:
            raise Fault(
                Exit.BAD_DATA,
                "There are no held-out questions to answer.",
                "The dataset's held-out rows have no prompt with an answer after it.",
                "Import more rows, so that some can be held out.",
            )
        return found

    def _models(self) -> Iterator[tuple[str, nn.Module]]:
        """The base and each adapter on one loaded base; whole models are loaded one after the other."""
        base: nn.Module | None = load_base(self.job.model, self.job.precision).eval()
        light = [adapter for adapter in self.job.adapters if not adapter.whole]
        for adapter in light:
            base = attach(base, adapter)
        with using(base, None) as model:
            yield BASE, model
        for adapter in light:
            with using(base, adapter.name) as model:
                yield adapter.name, model
        base = None
        for adapter in self.job.adapters:
            if adapter.whole:
                yield adapter.name, load_whole(adapter, self.job.precision)

    def _answer_all(
        self, name: str, model: nn.Module, rows: PreparedSplit, questions: list[Question], results: LineWriter
    ) -> bool:
        """Answer what is still open, nearly equal prompts together; False when asked to end."""
        objective = Objective(model)
        open_ = [question for question in questions if (name, question.row) not in self.done]
        lengths = [len(question.prompt) for question in open_]
        for group in micro_batches(range(len(open_)), lengths, self.job.batch_size):
            if self.control.look():
                return False
            for answer in self._answers(name, model, objective, rows, [open_[i] for i in group]):
                results.write(answer)
                self.done.add((name, answer.row))
            self.reporter.at(len(self.done), self.total)
            self.reporter.metrics(len(self.done), progress=len(self.done) / self.total)
        objective.detach()
        return True

    @torch.no_grad()
    def _answers(
        self, name: str, model: nn.Module, objective: Objective, rows: PreparedSplit, questions: list[Question]
    ) -> Iterator[Answer]:
        device = next(model.parameters()).device
        with computing(self.job.precision, device):
            batch = collate(rows, [question.row for question in questions], device)
            losses = objective.token_losses(batch)
            said = self._generate(model, questions)
        for number, (question, tokens) in enumerate(zip(questions, said, strict=True)):
            own = losses[batch.rows == number]
            complete = bool(tokens) and tokens[-1] in rows.header.end_tokens
            yield Answer(
                row=rows.header.source_rows["validation"][question.row],
                model=name,
                prompt=self._text(question.prompt),
                reference=self._text(question.reference),
                text=self._text(tokens),
                tokens=len(tokens),
                complete=complete,
                nll=own.sum().item(),
                trained_tokens=len(own),
            )

    def _generate(self, model: nn.Module, questions: list[Question]) -> list[list[int]]:
        said: list[list[int]] = [[] for _ in questions]
        steps = generate(
            model,
            [question.prompt for question in questions],
            max_new_tokens=self.job.max_new_tokens,
            end_tokens=self.end_tokens,
        )
        for step in steps:
            for tokens, token in zip(said, step, strict=True):
                if token is not None:
                    tokens.append(token)
        return said

    def _text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True).strip()


def load_whole(adapter: AdapterRef, precision: str) -> nn.Module:
    """A fully fine-tuned model from its own folder."""
    from engine.spec.runspec import ModelRef

    return load_base(ModelRef(path=adapter.path, name=adapter.name, fingerprint=""), precision).eval()
