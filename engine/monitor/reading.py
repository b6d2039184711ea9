"""What a finished run's curves say: a quality score that is the sum of its findings, a reading in plain words, and
advice.

Pure: curves and settings in, words and numbers out. It judges how training went, not how good the answers are; that
is what an evaluation of base and tuned model measures.

The score has six parts. A part that was not measured is said so and counts nothing; the weights of the others are
scaled so that they make 100.

| part | weight | full points for |
|---|---|---|
| learned | 30 | a training loss that fell by 30 % or more |
| carries over | 30 | a loss on held-out rows that fell by 20 % or more, at its best |
| ends at its best | 15 | a last validation at the best one; none at 10 % above it |
| no rote learning | 10 | held-out loss at most 15 % above training loss, as a share of it; none from 60 % on |
| steady | 10 | no anomaly that spoils steps (4 off for each kind), no recovery (2 off for each) |
| finished | 5 | all planned steps |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.monitor.anomaly import Evidence, Kind, number
from engine.monitor.recovery import Change
from engine.monitor.robust import line, median

SPOILING = frozenset((Kind.NON_FINITE, Kind.DIVERGENCE, Kind.EXPLOSION, Kind.DEAD_ADAPTER))
TURNED = 1.03
STILL_FALLING = 0.03
BARELY = 0.1
LEAST = 1e-9
"""A loss below this is as good as none; nothing is a share of it."""
MOST_SUGGESTIONS = 3


class Point(NamedTuple):
    """A value at an optimizer step."""

    step: int
    value: float


class Seen(NamedTuple):
    """An anomaly that was reported: its kind and the step."""

    name: str
    step: int


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went: its curves (nats; non-finite values are skipped), what was reported, and the settings that
    advice is about. `rank` is None for methods without one; `recoveries` counts roll-backs and lowered rates."""

    loss: tuple[Point, ...]
    validation: tuple[Point, ...]
    steps_done: int
    steps_planned: int
    epochs: int
    learning_rate: float
    rank: int | None = None
    anomalies: tuple[Seen, ...] = ()
    recoveries: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the score: points out of `most`, what was seen, and why it counts. Unmeasured: 0 out of 0."""

    part: str
    points: float
    most: float
    what: str
    why: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def measured(self) -> bool:
        return self.most > 0


class Suggestion(msgspec.Struct, frozen=True):
    """Something to do differently next time, and the settings that it means."""

    words: str
    changes: tuple[Change, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The whole judgement. `score` is the sum of the findings' points; `unfinished` is true where the loss still fell
    at the end, on held-out rows too as far as there were any: more steps would have taught more."""

    score: float
    findings: tuple[Finding, ...]
    words: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]
    unfinished: bool = False


class Fall(msgspec.Struct, frozen=True):
    """A curve in numbers: its two ends (medians of a tenth, 8 points at the most; single values for a validation
    curve), its lowest point, and its change over the last fifth, with how sure that is."""

    start: float
    end: float
    best: Point
    late: float
    late_error: float

    @property
    def share(self) -> float:
        """How much of the start is gone at the end; negative when it rose."""
        return (self.start - self.end) / self.start if self.start > LEAST else 0.0

    @property
    def falling(self) -> bool:
        """Whether it clearly still fell over the last fifth, by 3 % of itself or more."""
        return -self.late > max(STILL_FALLING * self.end, 2 * self.late_error)


def read(course: Course) -> Reading:
    """Judge a run by its curves. A run without a single finite loss scores what it finished, and says so."""
    training, held_out = _fall(course.loss, smooth=True), _fall(course.validation, smooth=False)
    findings = _scaled(_findings(course, training, held_out))
    return Reading(
        score=round(sum(finding.points for finding in findings), 1),
        findings=findings,
        words=_words(course, training, held_out),
        suggestions=_suggestions(course, training, held_out)[:MOST_SUGGESTIONS],
        unfinished=_unfinished(training, held_out),
    )


def _unfinished(training: Fall | None, held_out: Fall | None) -> bool:
    """Where rows were held out, their loss decides: it still fell, or ended at its best while training went on."""
    still = training is not None and training.falling
    if held_out is None:
        return still
    return held_out.falling or (still and held_out.end <= held_out.best.value)


def _fall(points: Sequence[Point], smooth: bool) -> Fall | None:
    sound = [Point(*point) for point in points if math.isfinite(point[1])]
    if len(sound) < 2:
        return None
    values = [point.value for point in sound]
    ends = max(1, min(8, len(values) // 10)) if smooth else 1
    last = values[-max(3, len(values) // 5) :]
    late, error = line(last) if len(last) >= 3 else (0.0, 0.0)
    best = min(sound, key=lambda point: point.value)
    return Fall(median(values[:ends]), median(values[-ends:]), best, late, error)


def _findings(course: Course, training: Fall | None, held_out: Fall | None) -> list[Finding]:
    return [
        _learned(training),
        _carries_over(held_out),
        _ends_at_best(held_out),
        _no_rote(training, held_out),
        _steady(course),
        _finished(course),
    ]


def _scaled(findings: list[Finding]) -> tuple[Finding, ...]:
    """Weights of what was measured make 100."""
    factor = 100 / sum(finding.most for finding in findings)
    return tuple(
        msgspec.structs.replace(finding, points=round(finding.points * factor, 1), most=round(finding.most * factor, 1))
        for finding in findings
    )


def _not_measured(part: str, why: str) -> Finding:
    return Finding(part=part, points=0, most=0, what="Not measured.", why=why)


def _part(share: float) -> float:
    return min(1.0, max(0.0, share))


def _learned(training: Fall | None) -> Finding:
    if training is None:
        return _not_measured("learned", "The run recorded no loss that is a number.")
    return Finding(
        part="learned",
        points=30 * _part(training.share / 0.3),
        most=30,
        what=f"The training loss went from {number(training.start)} to {number(training.end)}.",
        why="A model that learns its rows expects their answers more and more.",
        evidence=(Evidence("start", training.start, "nats"), Evidence("end", training.end, "nats")),
    )


def _carries_over(held_out: Fall | None) -> Finding:
    if held_out is None:
        return _not_measured("carries over", "No rows were held out, so nothing says how the model does on new ones.")
    share = (held_out.start - held_out.best.value) / held_out.start if held_out.start > LEAST else 0.0
    return Finding(
        part="carries over",
        points=30 * _part(share / 0.2),
        most=30,
        what=f"On held-out rows the loss went from {number(held_out.start)} to {number(held_out.best.value)} at best.",
        why="Only rows that were never trained on show whether what was learned holds for new ones.",
        evidence=(Evidence("start", held_out.start, "nats"), Evidence("best", held_out.best.value, "nats")),
    )


def _ends_at_best(held_out: Fall | None) -> Finding:
    if held_out is None:
        return _not_measured("ends at its best", "No rows were held out.")
    above = held_out.end / held_out.best.value - 1 if held_out.best.value > LEAST else 0.0
    return Finding(
        part="ends at its best",
        points=15 * _part(1 - above / 0.1),
        most=15,
        what=f"The last validation lies {above:.1%} above the best one, of step {held_out.best.step}.",
        why="What is trained after the best validation makes the model worse on new rows.",
        evidence=(Evidence("last", held_out.end, "nats"), Evidence("best", held_out.best.value, "nats")),
    )


def _gap(training: Fall, held_out: Fall) -> float:
    """How much lower the training loss is, as a share of the held-out one."""
    return (held_out.end - training.end) / held_out.end if held_out.end > LEAST else 0.0


def _no_rote(training: Fall | None, held_out: Fall | None) -> Finding:
    if training is None or held_out is None:
        return _not_measured("no rote learning", "It takes a loss on trained rows and one on held-out rows.")
    gap = _gap(training, held_out)
    return Finding(
        part="no rote learning",
        points=10 * _part((0.6 - gap) / 0.45),
        most=10,
        what=f"At the end it is {number(training.end)} on trained rows and {number(held_out.end)} on held-out ones.",
        why="The further apart the two are, the more was learned by rote.",
        evidence=(Evidence("gap, of the held-out loss", gap),),
    )


def _steady(course: Course) -> Finding:
    kinds = {seen.name for seen in course.anomalies if seen.name in SPOILING}
    trouble = f"{len(kinds)} kinds of trouble" if len(kinds) != 1 else "1 kind of trouble"
    healed = f"{course.recoveries} recoveries" if course.recoveries != 1 else "1 recovery"
    return Finding(
        part="steady",
        points=max(0, 10 - 4 * len(kinds) - 2 * course.recoveries),
        most=10,
        what=f"There were {trouble} that spoil steps, and {healed}.",
        why="A run that has to be saved on the way had settings at the edge of what works.",
        evidence=(Evidence("kinds of trouble", len(kinds)), Evidence("recoveries", course.recoveries)),
    )


def _finished(course: Course) -> Finding:
    return Finding(
        part="finished",
        points=5 * _part(course.steps_done / max(1, course.steps_planned)),
        most=5,
        what=f"{course.steps_done} of {course.steps_planned} planned steps were done.",
        why="The last steps, at a low learning rate, settle what was learned.",
        evidence=(Evidence("done", course.steps_done, "steps"), Evidence("planned", course.steps_planned, "steps")),
    )


def _words(course: Course, training: Fall | None, held_out: Fall | None) -> tuple[str, ...]:
    words = [_training_words(course, training), _held_out_words(course, held_out)]
    if training and held_out:
        words.append(_gap_words(training, held_out))
    return (*words, _trouble_words(course))


def _training_words(course: Course, training: Fall | None) -> str:
    if training is None:
        return "No training loss was recorded, so nothing can be said about how the model learned."
    verb = "fell" if training.share > 0 else "rose"
    late = "it was still falling at the end" if training.falling else "it had levelled off by the end"
    return (
        f"On the rows it trained on, the loss {verb} from {number(training.start)} to {number(training.end)} "
        f"({abs(training.share):.0%}) in {course.steps_done} steps; {late}."
    )


def _held_out_words(course: Course, held_out: Fall | None) -> str:
    if held_out is None:
        return "No rows were held out, or they were looked at only once: how it does on new rows was not measured."
    best = held_out.best
    if held_out.end <= best.value:
        ends = f"from {number(held_out.start)} to {number(held_out.end)}"
        return f"On held-out rows it went {ends}, and the end was its best."
    return (
        f"On held-out rows it went from {number(held_out.start)} to {number(held_out.end)}; the best was "
        f"{number(best.value)} at step {best.step} of {course.steps_done}."
    )


def _gap_words(training: Fall, held_out: Fall) -> str:
    gap = held_out.end - training.end
    if gap <= 0.15 * held_out.end:
        return f"The two ended close together ({number(abs(gap))} apart): it did not learn by rote."
    return f"It ended {number(gap)} lower on trained rows than on held-out ones: part of it was learned by rote."


def _trouble_words(course: Course) -> str:
    if not course.anomalies:
        return "Nothing unusual was seen on the way."
    first = ", ".join(f"{seen.name} at step {seen.step}" for seen in course.anomalies[:4])
    more = f", and {len(course.anomalies) - 4} more" if len(course.anomalies) > 4 else ""
    healed = {0: "", 1: " The run healed itself once."}.get(
        course.recoveries, f" The run healed itself {course.recoveries} times."
    )
    return f"Seen on the way: {first}{more}.{healed}"


def _suggestions(course: Course, training: Fall | None, held_out: Fall | None) -> tuple[Suggestion, ...]:
    turned = held_out is not None and held_out.end > TURNED * held_out.best.value
    found = [
        _calmer(course),
        _shorter(course, held_out) if turned and held_out else None,
        _quicker(course, training) if training else None,
        _longer(course, held_out or training) if not turned else None,
        _larger(course, training, held_out) if not turned else None,
        None if held_out else Suggestion("Hold some rows back, so that the next run shows how it does on new ones."),
    ]
    taken: dict[str, Suggestion] = {}
    for each in found:
        if each is not None:
            taken.setdefault(each.changes[0].setting if each.changes else each.words, each)
    return tuple(taken.values())


def _calmer(course: Course) -> Suggestion | None:
    kinds = {seen.name for seen in course.anomalies}
    if not kinds & {Kind.NON_FINITE, Kind.DIVERGENCE, Kind.EXPLOSION}:
        return None
    rate = course.learning_rate / 2
    return Suggestion(
        f"Halve the learning rate, to {rate:.2g}: the steps were too large.",
        (Change(setting="learning_rate", value=rate),),
    )


def _shorter(course: Course, held_out: Fall) -> Suggestion:
    epochs = max(1, math.ceil(course.epochs * held_out.best.step / max(1, course.steps_done)))
    if epochs < course.epochs:
        words = f"Train for {epochs} instead of {course.epochs} epochs: the best was at step {held_out.best.step}."
        return Suggestion(words, (Change(setting="epochs", value=epochs),))
    rate = course.learning_rate / 2
    words = f"Halve the learning rate, to {rate:.2g}: the held-out loss turned at step {held_out.best.step} already."
    return Suggestion(words, (Change(setting="learning_rate", value=rate),))


def _quicker(course: Course, training: Fall) -> Suggestion | None:
    if training.share >= BARELY or training.falling:
        return None
    rate = course.learning_rate * 2
    words = f"Double the learning rate, to {rate:.2g}: the training loss fell by only {max(0.0, training.share):.0%}."
    return Suggestion(words, (Change(setting="learning_rate", value=rate),))


def _longer(course: Course, curve: Fall | None) -> Suggestion | None:
    if curve is None or not curve.falling:
        return None
    epochs = course.epochs + max(1, course.epochs // 2)
    late = number(-curve.late)
    words = f"Train for {epochs} instead of {course.epochs} epochs: the loss still fell by {late} at the end."
    return Suggestion(words, (Change(setting="epochs", value=epochs),))


def _larger(course: Course, training: Fall | None, held_out: Fall | None) -> Suggestion | None:
    """Both curves level off close together and high: there is room for more capacity."""
    if course.rank is None or training is None or held_out is None or training.falling:
        return None
    if not BARELY <= training.share < 0.3 or _gap(training, held_out) > 0.15:
        return None
    rank = course.rank * 2
    words = f"Double the rank, to {rank}: both losses levelled off at {number(training.end)}, close together."
    return Suggestion(words, (Change(setting="rank", value=rank),))
