"""Preference objectives: each step's loss equals one written from the papers with full logits and a second model."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import log_softmax, logsigmoid

from engine.spec.exits import Exit
from engine.spec.objectives import Dpo, Kto, Objective, Orpo
from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.runspec import RunSpec, TrainJob
from engine.worker.batches import epoch_steps
from engine.worker.examples import Examples, Mismatched
from engine.worker.fault import Fault
from engine.worker.schedule import learning_rate
from tests.making import FULL, METHODS, train_spec, without_dropout
from tests.worker.loop import losses, run_through
from tests.worker.reference import plain_base

DPO = Dpo(beta=0.5, label_smoothing=0.1)
ORPO = Orpo(weight=0.3)
KTO = Kto(beta=0.5, good_weight=1.0, bad_weight=1.5)


def spec_for(model: Path, rows: Path, objective: Objective, method: str = "lora", **changes: object) -> RunSpec:
    values = {"epochs": 4, "learning_rate": 5e-3, "validate_every": 100, "checkpoint_every": 100} | changes
    count = 20 if not isinstance(objective, Kto) else 40
    spec = train_spec(model, rows, without_dropout(METHODS[method]), rows=count, **values)  # type: ignore[arg-type]
    return msgspec.structs.replace(spec, job=msgspec.structs.replace(spec.job, objective=objective))


@pytest.mark.parametrize("objective", [DPO, ORPO, KTO], ids=["dpo", "orpo", "kto"])
@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("micro_batch", [1, 8], ids=["one at once", "a whole step at once"])
def test_every_step_equals_the_papers_formula(
    tmp_path: Path, model: Path, pairs: Path, rated: Path, objective: Objective, method: str, micro_batch: int
) -> None:
    rate = 1e-3 if method == "full" else 5e-3
    rows = rated if isinstance(objective, Kto) else pairs
    spec = spec_for(model, rows, objective, method, micro_batch=micro_batch, learning_rate=rate)
    ours = losses(run_through(tmp_path / "run-1", spec, []))
    assert isinstance(spec.job, TrainJob)
    theirs = reference(spec.job)
    assert len(theirs) == len(ours)
    assert max(abs(ours[step + 1] - loss) for step, loss in enumerate(theirs)) < 1e-4


@pytest.mark.parametrize("method", ["pissa", "qlora", "prefix"])
def test_a_preference_run_begins_at_the_reference(tmp_path: Path, model: Path, pairs: Path, method: str) -> None:
    """Before the first step policy and reference agree, so DPO's loss is log 2; prefixes begin elsewhere."""
    folder = run_through(tmp_path / "run-1", spec_for(model, pairs, Dpo(beta=0.5, label_smoothing=0), method), [])
    first = losses(folder)[1]
    assert (abs(first - 0.6931) < 2e-3) == (method != "prefix")


def test_the_chosen_answer_comes_to_be_preferred(tmp_path: Path, model: Path, pairs: Path) -> None:
    folder = run_through(tmp_path / "run-1", spec_for(model, pairs, Dpo(beta=0.5, label_smoothing=0), epochs=8), [])
    accuracy = list(losses(folder, "preference_accuracy").values())
    assert accuracy[-1] == 1.0
    assert losses(folder, "preference_margin")[len(accuracy)] > 0.1
    assert "validation_preference_accuracy" in str((folder.path / "metrics.jsonl").read_text())


@pytest.mark.parametrize("objective", [DPO, KTO], ids=["dpo", "kto"])
def test_an_interrupted_run_ends_the_same(
    tmp_path: Path, model: Path, pairs: Path, rated: Path, objective: Objective
) -> None:
    spec = spec_for(model, rated if isinstance(objective, Kto) else pairs, objective, checkpoint_every=2)
    whole = run_through(tmp_path / "whole", spec, [])
    assert losses(run_through(tmp_path / "cut", spec, [(3, "pause"), (9, "kill")])) == losses(whole)


def test_rows_of_another_kind_are_refused(tmp_path: Path, model: Path, rows: Path) -> None:
    with pytest.raises(Fault, match="does not fit the objective dpo") as fault:
        run_through(tmp_path / "run-1", spec_for(model, rows, DPO), [])
    assert fault.value.exit_code is Exit.BAD_DATA


def log_probability(model: torch.nn.Module, split: PreparedSplit | Mismatched, row: int) -> tuple[torch.Tensor, int]:
    """The sum over one row's labelled tokens, and how many there are; all logits, one row at a time."""
    ids, flags = (torch.tensor(part.tolist()) for part in split.row(row))
    found = log_softmax(model(input_ids=ids[None]).logits[0, :-1], -1)
    each = found.gather(1, ids[1:, None]).squeeze(1)
    wanted = flags[1:].bool()
    return each[wanted].sum(), int(wanted.sum())


def reference(job: TrainJob) -> list[float]:
    """A loop from the papers: a frozen copy of the model is the reference, every row is computed alone."""
    numbers = job.training
    base = plain_base(Path(job.model.path))
    frozen = copy.deepcopy(base).eval()
    torch.manual_seed(numbers.seed)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules="all-linear")
    model = base.train() if job.method == FULL else get_peft_model(base, config).train()
    split = read_split(Path(job.data.prepared), "train")
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, betas=(numbers.beta1, numbers.beta2), eps=numbers.epsilon, weight_decay=numbers.weight_decay
    )
    lengths, found = Examples(split).lengths, list[float]()
    for epoch in range(numbers.epochs):
        for examples in epoch_steps(numbers.seed, epoch, lengths, numbers.batch_size):
            loss = step_loss(job.objective, model, frozen, split, examples)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, numbers.clip_norm)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(numbers, len(found), job.total_steps)
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
    return found


def step_loss(
    objective: Objective, model: torch.nn.Module, frozen: torch.nn.Module, split: PreparedSplit, examples: list[int]
) -> torch.Tensor:
    """The loss of one optimizer step."""

    def ratio(rows: PreparedSplit | Mismatched, row: int) -> torch.Tensor:
        with torch.no_grad():
            before = log_probability(frozen, rows, row)[0]
        return log_probability(model, rows, row)[0] - before

    if isinstance(objective, Dpo):
        margins = [objective.beta * (ratio(split, 2 * i) - ratio(split, 2 * i + 1)) for i in examples]
        smooth = objective.label_smoothing
        return torch.stack([-(1 - smooth) * logsigmoid(m) - smooth * logsigmoid(-m) for m in margins]).mean()
    if isinstance(objective, Kto):
        with torch.no_grad():
            others = Mismatched(split)
            distance = max(0.0, sum(ratio(others, i).item() for i in examples) / len(examples))
        terms = []
        for i in examples:
            reward = objective.beta * (ratio(split, i) - distance)
            good = split.desired[i] == 1
            weight = objective.good_weight if good else objective.bad_weight
            terms.append(weight * (1 - torch.sigmoid(reward if good else -reward)))
        return torch.stack(terms).mean()
    assert isinstance(objective, Orpo)
    sums = [(log_probability(model, split, 2 * i), log_probability(model, split, 2 * i + 1)) for i in examples]
    imitating = -sum(chosen[0] for chosen, _ in sums) / sum(chosen[1] for chosen, _ in sums)
    odds = []
    for pair in sums:
        chosen, rejected = (total / count for total, count in pair)
        odds.append((chosen - torch.log1p(-chosen.exp())) - (rejected - torch.log1p(-rejected.exp())))
    preferring = torch.stack([-logsigmoid(each) for each in odds]).mean()
    return torch.as_tensor(imitating) + objective.weight * preferring
