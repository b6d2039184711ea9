"""What is noticed about a plan, and the pre-flight checks before it starts (requirement F11). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from engine.data.nouns import Finding
from engine.plan.devices import UNKNOWN_DISK
from engine.plan.estimate import Estimate
from engine.plan.facts import DataFacts
from engine.plan.fitting import size
from engine.plan.hardware import Hardware
from engine.plan.layers import unknown_targets
from engine.plan.methods import facts_of_kind
from engine.plan.models import BaseModel
from engine.plan.values import Value
from engine.spec.methods import Full, Ia3, LowRank, Method, Prefix, Tuner, mergeable, method_name
from engine.spec.runspec import Training

LONG_SECONDS = 24 * 3600


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list before the start."""

    title: str
    state: Literal["ok", "warning", "problem"]
    note: str


def switched(values: dict[str, Value]) -> Finding:
    """4 bits were switched on because memory was short."""
    return Finding(
        level="info",
        what="The model is held in 4 bits (QLoRA).",
        why=values["quantization"].reason,
        fix="Choose LoRA by hand if you have more memory than was seen.",
    )


def findings_of(
    model: BaseModel, data: DataFacts, method: Method, training: Training, result: Estimate, steps: int
) -> tuple[Finding, ...]:
    """Everything worth saying, the worst first."""
    found = [*_memory(result), *_data(model, data, training), *_numbers(model, method, training, data, steps)]
    found += [*model.findings, *_method(model, method, training)]
    return sorted_by_level(found)


def sorted_by_level(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The worst first."""
    order = ("problem", "warning", "info")
    return tuple(sorted(found, key=lambda each: order.index(each.level)))


def _memory(result: Estimate) -> Iterator[Finding]:
    if not result.fits:
        yield Finding(
            level="problem",
            what=f"It needs about {size(result.memory_peak)}, and {size(result.memory_budget)} can be used.",
            why="The run would end with “out of memory”.",
            fix="Choose a smaller model, QLoRA, a smaller micro-batch, a shorter context, or checkpointing.",
        )
    elif result.memory_high > result.memory_budget:
        yield Finding(
            level="warning",
            what=f"Memory is tight: up to {size(result.memory_high)} of {size(result.memory_budget)}.",
            why="The estimate is a range, and its upper end does not fit.",
            fix="Close other programs. If it runs short, the micro-batch is halved by itself.",
        )


def _data(model: BaseModel, data: DataFacts, training: Training) -> Iterator[Finding]:
    if data.assumed:
        yield Finding(
            level="info",
            what=f"No data was named: {data.rows:,} rows of {data.longest:,} tokens are assumed.",
            why="Every token is taken to be learned from, which needs the most memory.",
            fix="Name a dataset for an estimate of its own rows.",
        )
    if data.rows == 0 or data.trained_tokens == 0:
        yield Finding(
            level="problem",
            what="There is nothing to train on.",
            why="No row has a token to learn from: answers are empty, or cut off by the context length.",
            fix="Check which columns are question and answer, or raise the context length.",
        )
    if data.validation_rows == 0:
        yield Finding(
            level="warning",
            what="No rows are held out.",
            why="Whether the model got better cannot be measured.",
            fix="Add more different examples.",
        )
    if data.truncated:
        yield Finding(
            level="warning",
            what=f"{data.truncated:,} examples are longer than {data.prepared_length:,} tokens and are cut.",
            why="The end of their answers is not learned.",
            fix="Raise the context length."
            if data.prepared_length < model.context
            else "Shorten them; the model cannot read more.",
        )
    if data.dropped:
        yield Finding(
            level="warning",
            what=f"{data.dropped:,} examples are left out.",
            why="Nothing of their answers can be learned with this model and context length.",
            fix="Raise the context length, or look at the list of dropped rows.",
        )
    if training.max_length > model.context:
        yield Finding(
            level="problem",
            what=f"The context length of {training.max_length:,} is beyond the model's {model.context:,} tokens.",
            why="It was never trained on texts that long and would produce nonsense.",
            fix=f"Choose at most {model.context:,}.",
        )


def _numbers(model: BaseModel, method: Method, training: Training, data: DataFacts, steps: int) -> Iterator[Finding]:
    if training.warmup_steps >= steps > 0:
        yield Finding(
            level="warning",
            what=f"The warm-up of {training.warmup_steps:,} steps is as long as the run ({steps:,}).",
            why="The learning rate would never reach its value.",
            fix=f"Choose at most {max(1, steps // 10):,}.",
        )
    if isinstance(method, LowRank) and method.rank > model.hidden:
        yield Finding(
            level="warning",
            what=f"The rank of {method.rank} is above the model's width of {model.hidden}.",
            why="More directions than there are cannot be learned.",
            fix=f"Choose at most {model.hidden // 2}.",
        )
    if training.batch_size > data.examples > 0:
        yield Finding(
            level="info",
            what=f"The batch of {training.batch_size} holds all {data.examples} examples.",
            why="Every round is then a single step.",
            fix="Choose a smaller batch to take more steps.",
        )
    if isinstance(method, Full) and training.learning_rate > 1e-3:
        yield Finding(
            level="warning",
            what=f"A learning rate of {training.learning_rate:g} is high for training all weights.",
            why="The model may forget what it knew, or training may fall apart.",
            fix="Choose a tenth of it.",
        )


def _method(model: BaseModel, method: Method, training: Training) -> Iterator[Finding]:
    facts = facts_of_kind(method_name(method))
    if not mergeable(method) and not isinstance(method, Full):
        yield Finding(
            level="info",
            what=f"{facts.title} cannot be merged into the model.",
            why="What it learns stands beside the text or the layers, not in the weights; it is always a second file.",
            fix="Choose LoRA if you want one merged model, for example for GGUF.",
        )
    if isinstance(method, LowRank | Ia3 | Tuner) and (missing := unknown_targets(model.adaptable, method.targets)):
        names = ", ".join(dict.fromkeys(each.name for each in model.adaptable))
        yield Finding(
            level="warning",
            what=f"The model has no layer called {', '.join(missing)}.",
            why=f"Its layers are taken to be {names}.",
            fix="Choose names from these, or all-linear.",
        )
    if isinstance(method, Prefix) and method.virtual_tokens + training.max_length > model.context:
        yield Finding(
            level="warning",
            what=f"{method.virtual_tokens} learned positions and {training.max_length:,} tokens are more than the "
            f"model's {model.context:,}.",
            why="The learned positions take places of the context.",
            fix=f"Choose a context length of at most {max(16, model.context - method.virtual_tokens):,}.",
        )


def checks_of(
    model: BaseModel, data: DataFacts, hardware: Hardware, training: Training, result: Estimate
) -> tuple[Check, ...]:
    """The list before the start, in the order of the journey."""
    return tuple(_checks(model, data, hardware, training, result))


def _checks(
    model: BaseModel, data: DataFacts, hardware: Hardware, training: Training, result: Estimate
) -> Iterator[Check]:
    enough = data.trained_tokens > 0
    note = f"{data.examples:,} examples, {data.trained_tokens:,} tokens to learn from"
    yield Check(title="Data is ready", state="ok" if enough else "problem", note=note)
    held = data.validation_examples
    yield Check(title="Rows are held out", state="ok" if held else "warning", note=f"{held:,} examples")
    broken = next((each for each in model.findings if each.level == "problem"), None)
    note = broken.what if broken else f"{model.name}, {size(model.weight_bytes)}"
    yield Check(title="Model is here", state="problem" if broken else "ok", note=note)
    within = training.max_length <= model.context
    note = f"{training.max_length:,} of the model's {model.context:,} tokens"
    yield Check(title="Context length", state="ok" if within else "problem", note=note)
    state = "problem" if not result.fits else "warning" if result.memory_high > result.memory_budget else "ok"
    note = f"about {size(result.memory_peak)} of {size(result.memory_budget)} on {result.device}"
    yield Check(title="Memory is enough", state=state, note=note)
    state = "problem" if result.disk_bytes > hardware.disk_free else "ok"
    there = "that machine's, which is not known" if hardware.disk_free >= UNKNOWN_DISK else size(hardware.disk_free)
    yield Check(title="Disk is enough", state=state, note=f"about {size(result.disk_bytes)} of {there}")
    state = "warning" if result.seconds > LONG_SECONDS else "ok"
    yield Check(title="Time", state=state, note=f"{minutes(result.seconds_min)} to {minutes(result.seconds_max)}")
    if hardware.on_battery is not None:
        note = "on battery: plug it in" if hardware.on_battery else "plugged in"
        yield Check(title="Power", state="warning" if hardware.on_battery else "ok", note=note)


def minutes(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
