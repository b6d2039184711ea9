"""A generator of training curves, healthy and sick. It knows nothing of the detectors and shares no number with them.

A healthy curve falls from its start to its floor, fast at first; it may be noisy (small batches), come in passes
over the rows, have harder stretches, a bump in the warm-up, single spikes, or end flat and near zero. A sick one is
a healthy one with one thing wrong from some step on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.monitor.curves import Curve

Series = list[float]


@dataclass
class Draft:
    """A curve while it is made. `onset` is the step (from 0) at which a sickness begins."""

    dice: random.Random
    steps: int
    columns: dict[str, list[float | None]] = field(default_factory=dict)

    @property
    def loss(self) -> Series:
        return [value for value in self.columns["loss"] if value is not None]

    def onset(self, low: float = 0.3, high: float = 0.6) -> int:
        return int(self.steps * self.dice.uniform(low, high))

    def times(self, name: str, start: int, factor: Callable[[int], float]) -> None:
        """Multiply a column from `start` on by a factor of the steps since."""
        column = self.columns[name]
        self.columns[name] = [
            value if value is None or step < start else value * factor(step - start)
            for step, value in enumerate(column)
        ]


def healthy(seed: int, steps: int | None = None) -> Curve:
    """A run without anything wrong; its numbers of machine and model are those of a plausible one."""
    draft = _draft(seed, steps)
    return _curve("healthy", seed, draft)


def sick(label: str, seed: int) -> Curve:
    """A run with one thing wrong; `label` is a key of SICKNESSES."""
    draft = _draft(seed, random.Random(seed).randint(160, 400))
    SICKNESSES[label](draft)
    return _curve(label, seed, draft)


def _curve(label: str, seed: int, draft: Draft) -> Curve:
    columns = {name: tuple(values) for name, values in draft.columns.items()}
    return Curve(label=label, source="generated", seed=seed, **columns)  # type: ignore[arg-type]


def _draft(seed: int, steps: int | None) -> Draft:
    dice = random.Random(seed)
    draft = Draft(dice, steps or dice.randint(40, 500))
    rates = _rates(dice, draft.steps)
    level = _level(dice, draft.steps)
    noise = dice.choice((0.01, 0.03, 0.06, 0.12, 0.25))  # of the loss itself; the last is a batch of one
    loss = [max(1e-4, value * math.exp(dice.gauss(0, noise) - noise**2 / 2)) for value in level]
    norms = _norms(dice, level)
    for spike in dice.sample(range(draft.steps), dice.choice((0, 0, 1, 2))):
        loss[spike] *= dice.uniform(1.5, 3)
        norms[spike] *= dice.uniform(2, 5)
    draft.columns = {
        "loss": list(loss),
        "learning_rate": list(rates),
        "gradient_norm": list(norms),
        "adapter_norm": _adapter(dice, rates),
        "validation_loss": _validation(dice, level),
    }
    _machine(draft)
    return draft


def _rates(dice: random.Random, steps: int) -> Series:
    peak, warmup = 10 ** dice.uniform(-5, -2.5), dice.choice((0, 0, 5, steps // 20))
    shape = dice.choice(("constant", "linear", "cosine"))
    rates = []
    for step in range(steps):
        through = max(0, step - warmup) / max(1, steps - warmup)
        left = {"constant": 1.0, "linear": 1 - through, "cosine": 0.5 + 0.5 * math.cos(math.pi * through)}[shape]
        rates.append(peak * min(1.0, (step + 1) / warmup if warmup else 1.0) * left)
    return rates


def _level(dice: random.Random, steps: int) -> Series:
    """What the loss would be without noise."""
    start = math.exp(dice.uniform(math.log(0.8), math.log(6)))
    floor = start * dice.choice((0.001, 0.1, 0.3, 0.5, 0.7, 0.8))
    pace = steps * dice.uniform(0.03, 0.4)
    kind = dice.choice(("exponential", "power", "passes"))
    level = [floor + (start - floor) * _left(kind, step, pace, steps) for step in range(steps)]
    if dice.random() < 0.25:  # harder and easier stretches, as length grouping makes them
        period, share = dice.uniform(8, 60), dice.uniform(0.02, 0.1)
        level = [value * (1 + share * math.sin(step / period * math.tau)) for step, value in enumerate(level)]
    if dice.random() < 0.2:  # a bump while the rate warms up
        top, width, share = dice.uniform(3, 12), dice.uniform(1, 4), dice.uniform(0.05, 0.2)
        level = [v * (1 + share * math.exp(-(((s - top) / width) ** 2))) for s, v in enumerate(level)]
    return level


def _left(kind: str, step: int, pace: float, steps: int) -> float:
    """The share of what can be learned that is still to be learned."""
    if kind == "power":
        return (1 + step / pace) ** -0.8
    if kind == "passes":  # each pass over the rows brings a step down, the first one a slope
        each = max(10, steps // 5)
        return 0.55 ** (step // each) * (1 - 0.15 * (step % each) / each) * (0.5 + 0.5 * math.exp(-step / 15))
    return math.exp(-step / pace)


def _norms(dice: random.Random, level: Series) -> Series:
    usual, noise, power = math.exp(dice.gauss(0, 1)), dice.uniform(0.05, 0.5), dice.uniform(0, 0.7)
    first = dice.uniform(1, 4)
    return [
        usual * (value / level[0]) ** power * (1 + first * math.exp(-step / 5)) * math.exp(dice.gauss(0, noise))
        for step, value in enumerate(level)
    ]


def _adapter(dice: random.Random, rates: Series) -> list[float | None]:
    """The norm of the trained weights, taken at every fifth step: each step moves it a little, by its rate."""
    norm, norms = dice.uniform(3, 60), []
    for step, rate in enumerate(rates):
        norm += norm * rate * dice.uniform(-0.1, 0.4)
        norms.append(norm if step % 5 == 0 else None)
    return norms


def _validation(dice: random.Random, level: Series) -> list[float | None]:
    every = max(1, len(level) // dice.choice((4, 8, 15, 25)))
    gap, noise, late = dice.uniform(0.0, 0.15), dice.uniform(0.001, 0.01), dice.choice((0, 0, 0.01, 0.015))
    best = level[0]
    column: list[float | None] = []
    for step, value in enumerate(level, 1):
        best = min(best, value)
        smooth = max(best, 0.15 * level[0]) * (1 + gap + late * max(0.0, step / len(level) - 0.6))
        column.append(smooth * math.exp(dice.gauss(0, noise)) if step % every == 0 else None)
    return column


def _machine(draft: Draft) -> None:
    """Speed, waiting, memory and heat."""
    dice, steps = draft.dice, draft.steps
    speed, jitter = 10 ** dice.uniform(2.5, 5), dice.uniform(0.02, 0.25)
    draft.columns["tokens_per_second"] = [speed * math.exp(dice.gauss(0, jitter)) for _ in range(steps)]
    for _ in range(steps // 50):  # a checkpoint is written, another program starts
        start = dice.randrange(steps)
        count = min(3, steps - start)
        draft.columns["tokens_per_second"][start : start + 3] = [speed * dice.uniform(0.1, 0.5)] * count
    wait = dice.uniform(0.0, 0.08)
    draft.columns["data_wait_share"] = [min(1.0, wait + (dice.random() < 0.03) * dice.random()) for _ in range(steps)]
    limit = dice.choice((8e9, 24e9, 80e9))
    full, fill = limit * dice.uniform(0.3, 0.85), dice.uniform(2, 15)
    wave = dice.uniform(0.001, 0.03)
    draft.columns["memory_limit"] = [limit] * steps
    draft.columns["memory_bytes"] = [
        full * (1 - 0.3 * math.exp(-step / fill)) * (1 + wave * (dice.random() - 0.5)) for step in range(steps)
    ]
    hot, clock, pace = dice.uniform(45, 84), dice.uniform(0.7, 1.0), dice.uniform(10, 80)
    draft.columns["gpu_temperature"] = [
        hot - (hot - 35) * math.exp(-step / pace) + dice.gauss(0, 1) for step in range(steps)
    ]
    draft.columns["gpu_clock_share"] = [clock * (1 - 0.05 * dice.random()) for _ in range(steps)]


def _divergence(draft: Draft) -> None:
    """The loss turns and climbs: to chance level within some steps, or slowly for the rest of the run."""
    start, loss = draft.onset(0.1, 0.5), draft.loss
    before, pace = loss[start], draft.dice.choice((5.0, 15.0, 40.0))
    top = max(loss[0], 2.0) * draft.dice.uniform(1.1, 2.5)
    for step in range(start, draft.steps):
        calm = before + (top - before) * (1 - math.exp(-(step - start) / pace))
        draft.columns["loss"][step] = calm * math.exp(draft.dice.gauss(0, 0.06))
    draft.times("gradient_norm", start, lambda since: draft.dice.uniform(1, 4))


def _non_finite(draft: Draft) -> None:
    start = draft.onset()
    for step in range(start, min(draft.steps, start + draft.dice.choice((1, 2, 5, 20)))):
        draft.columns[draft.dice.choice(("loss", "gradient_norm"))][step] = draft.dice.choice((math.nan, math.inf))


def _explosion(draft: Draft) -> None:
    start, size = draft.onset(), draft.dice.choice((30.0, 100.0, 1e4))
    length = draft.dice.choice((1, 2, 4, 8))
    draft.times("gradient_norm", start, lambda since: size if since < length else 1.0)


def _plateau(draft: Draft) -> None:
    """Nothing is gained: the loss stays where it began, give or take 3 %."""
    dice = draft.dice
    start, noise = dice.uniform(0.8, 6), dice.choice((0.01, 0.02, 0.04))
    end = dice.uniform(0.0, 0.03)
    draft.columns["loss"] = [
        start * (1 - end * (1 - math.exp(-step / 10))) * math.exp(dice.gauss(0, noise)) for step in range(draft.steps)
    ]
    draft.columns["learning_rate"] = [10 ** dice.uniform(-6, -4)] * draft.steps
    draft.columns["validation_loss"] = [None] * draft.steps


def _overfitting(draft: Draft) -> None:
    """The validation loss turns at some step and climbs, while the training loss goes on to near zero."""
    dice, turn, loss = draft.dice, draft.onset(0.25, 0.5), draft.loss
    pace, climb = draft.steps * dice.uniform(0.1, 0.3), dice.uniform(0.2, 1.0)
    start = max(loss[0], 1.0)
    train = [start * (0.03 + 0.97 * math.exp(-step / pace)) for step in range(draft.steps)]
    draft.columns["loss"] = [value * math.exp(dice.gauss(0, 0.08)) for value in train]
    every = max(1, draft.steps // dice.choice((8, 12, 20)))
    floor = train[turn] * 1.05
    draft.columns["validation_loss"] = [
        (max(train[step] * 1.05, floor) * (1 + climb * max(0, step - turn) / (draft.steps - turn)))
        * math.exp(dice.gauss(0, 0.006))
        if (step + 1) % every == 0
        else None
        for step in range(draft.steps)
    ]


def _dead_adapter(draft: Draft) -> None:
    dice = draft.dice
    level, norm = dice.uniform(0.8, 6), dice.uniform(3, 60)
    noise = dice.choice((0.02, 0.06, 0.12))
    draft.columns["loss"] = [level * math.exp(dice.gauss(0, noise)) for _ in range(draft.steps)]
    draft.columns["adapter_norm"] = [norm if step % 5 == 0 else None for step in range(draft.steps)]
    draft.columns["validation_loss"] = [None] * draft.steps
    if dice.random() < 0.4:
        draft.columns["gradient_norm"] = [0.0] * draft.steps


def _memory_creep(draft: Draft) -> None:
    start, pace = draft.onset(0.0, 0.2), draft.dice.uniform(0.0007, 0.003)
    draft.times("memory_bytes", start, lambda since: 1 + pace * since)
    draft.columns["memory_limit"] = [None] * draft.steps


def _memory_full(draft: Draft) -> None:
    start = draft.onset()
    share = draft.dice.uniform(0.93, 0.99)
    limits = draft.columns["memory_limit"]
    draft.columns["memory_bytes"] = [
        used if step < start else share * (limits[step] or 0.0) * draft.dice.uniform(0.99, 1.0)
        for step, used in enumerate(draft.columns["memory_bytes"])
    ]


def _throughput_collapse(draft: Draft) -> None:
    start, slow = draft.onset(), draft.dice.uniform(0.05, 0.28)
    length = draft.dice.choice((30, 60, draft.steps))
    draft.times("tokens_per_second", start, lambda since: slow if since < length else 1.0)


def _data_starvation(draft: Draft) -> None:
    start, share = draft.onset(0.0, 0.6), draft.dice.uniform(0.4, 0.9)
    draft.columns["data_wait_share"] = [
        value if step < start else min(1.0, share * draft.dice.uniform(0.8, 1.1))
        for step, value in enumerate(draft.columns["data_wait_share"])
    ]


def _thermal_throttling(draft: Draft) -> None:
    start, heat = draft.onset(), draft.dice.uniform(84, 95)
    draft.columns["gpu_temperature"] = [
        value if step < start else heat + draft.dice.gauss(0, 1)
        for step, value in enumerate(draft.columns["gpu_temperature"])
    ]
    slow = draft.dice.uniform(0.4, 0.75)
    draft.times("gpu_clock_share", start, lambda since: slow)
    draft.times("tokens_per_second", start, lambda since: slow)


SICKNESSES: dict[str, Callable[[Draft], None]] = {
    "divergence": _divergence,
    "non-finite": _non_finite,
    "gradient-explosion": _explosion,
    "plateau": _plateau,
    "overfitting": _overfitting,
    "dead-adapter": _dead_adapter,
    "memory-creep": _memory_creep,
    "memory-full": _memory_full,
    "throughput-collapse": _throughput_collapse,
    "data-starvation": _data_starvation,
    "thermal-throttling": _thermal_throttling,
}
