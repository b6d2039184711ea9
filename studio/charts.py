"""Curves as one SVG string each: pure functions from number columns to text. Knows nothing of Flet or of a run.

A curve of any length is drawn with two points per pixel at most (the lowest and the highest of each bucket), so that a
spike is never lost and a redraw of 100,000 points stays under 10 ms.
"""

from __future__ import annotations

import itertools
import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from html import escape

import msgspec

from engine.monitor.zones import BOUNDS, zone
from studio.kit.words import amount, short
from studio.theme import Palette

LEFT, TOP, BOTTOM = 44.0, 10.0, 26.0
ROOM_FOR_WORDS, NARROW = 76.0, 520.0
"""Space at the right for the bands' words, where the picture is wide enough for it."""
LEAST_SPAN = 0.25
"""The curve's range is at least this share of its highest value, so that small noise does not look like a landslide."""
SMOOTHING = 0.06
"""The share of the points that the moving average goes over, unless a person chose another."""

Point = tuple[float, float]


class Zones(msgspec.Struct, frozen=True):
    """Bands of a loss: good up to `good`, acceptable up to `problem`, a problem above."""

    good: float
    problem: float

    start: float

    def name(self, loss: float) -> str:
        """The band's word."""
        return zone("loss", loss, self.start).value


def zones(values: Sequence[float]) -> Zones | None:
    """The bands of one run, from where it started (the mean of its first five losses); None before the first one.

    Where they lie is the engine's (engine/monitor/zones.py); here they are only drawn.
    """
    first = [value for value in values[:5] if math.isfinite(value)]
    if not first:
        return None
    start = sum(first) / len(first)
    good, acceptable = BOUNDS["loss"]
    return Zones(good=start * good, problem=start * acceptable, start=start)


class Curve(msgspec.Struct, frozen=True, eq=False):
    """One line to draw."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]
    color: str
    smooth: bool = False
    """Draw the measured line faintly and its moving average over it."""


class View(msgspec.Struct, frozen=True):
    """How a person looks at a chart: the steps that are shown (all when `last` is 0), smoothing, and the scale."""

    first: float = 0.0
    last: float = 0.0
    smoothing: float = SMOOTHING
    log: bool = False

    @property
    def zoomed(self) -> bool:
        return self.last > 0


class Mark(msgspec.Struct, frozen=True):
    """A step worth a mark: a checkpoint, a recovery."""

    step: int
    color: str
    words: str = ""


def decimate(steps: Sequence[int], values: Sequence[float], buckets: int) -> tuple[list[Point], list[Point]]:
    """(points, means): at most two points per bucket that keep every low and high, and each bucket's mean.

    Values that are not finite are left out.
    """
    count = len(steps)
    if count <= buckets:
        points = [(float(step), value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
        return points, points
    points, means = [], []
    for bucket in range(buckets):
        start, end = bucket * count // buckets, (bucket + 1) * count // buckets
        part = values[start:end]
        total = sum(part)
        if not math.isfinite(total):
            part = array("d", [value for value in part if math.isfinite(value)])
            if not part:
                continue
            total = sum(part)
        step = float(steps[start])
        low, high = min(part), max(part)
        points += [(step, low), (step, high)] if bucket % 2 else [(step, high), (step, low)]
        means.append((step, total / len(part)))
    return points, means


def smoothed(points: Sequence[Point], share: float = SMOOTHING) -> list[Point]:
    """The centred moving average over `share` of the points; the window shrinks near an end, so it does not lag."""
    reach = max(1, round(len(points) * share / 2))
    sums = [0.0, *itertools.accumulate(value for _, value in points)]
    result = []
    for index, (step, _) in enumerate(points):
        half = min(reach, index, len(points) - 1 - index)
        result.append((step, (sums[index + half + 1] - sums[index - half]) / (2 * half + 1)))
    return result


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers inside a range, about `count` of them."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis: 1, 2 and 5 of each power of ten, or more where those are too few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [value for value in found if low <= value <= high]
    if len(inside) < 3:
        return ticks(low, high)
    return inside if len(inside) <= 8 else [value for value in inside if math.log10(value).is_integer()]


def within(curve: Curve, first: float, last: float) -> tuple[Sequence[int], Sequence[float]]:
    """The part of a curve between two steps, with one point beyond each end, so that its line goes on to the edge."""
    start = max(0, bisect_left(curve.steps, first) - 1)
    end = bisect_right(curve.steps, last) + 1
    return curve.steps[start:end], curve.values[start:end]


def reading(curve: Curve, step: float) -> tuple[int, float] | None:
    """The curve's point that is nearest to a step; None while there is none."""
    if not len(curve.steps):
        return None
    right = min(bisect_left(curve.steps, step), len(curve.steps) - 1)
    left = max(0, right - 1)
    nearest = left if step - curve.steps[left] <= curve.steps[right] - step else right
    return curve.steps[nearest], curve.values[nearest]


class Across(msgspec.Struct, frozen=True):
    """Where steps land on a picture of this width."""

    width: float
    first: float
    last: float

    @property
    def right(self) -> float:
        return self.width - (ROOM_FOR_WORDS if self.width >= NARROW else 12.0)

    def x(self, step: float) -> float:
        return LEFT + (step - self.first) / (self.last - self.first) * (self.right - LEFT)

    def step(self, x: float) -> float:
        """The step at a place, inside the picture's edges."""
        share = (x - LEFT) / (self.right - LEFT)
        return self.first + min(1.0, max(0.0, share)) * (self.last - self.first)


def across(width: float, curves: Sequence[Curve], total_steps: int, view: View) -> Across:
    """The steps that are shown: those a person zoomed to, or all there will be."""
    if view.zoomed:
        return Across(width, view.first, max(view.last, view.first + 1))
    return Across(width, 0.0, float(max([1, total_steps, *(curve.steps[-1] for curve in curves if len(curve.steps))])))


class _Frame:
    """Where numbers land on the picture."""

    def __init__(self, horizontal: Across, height: float, low: float, high: float, log: bool) -> None:
        self.horizontal, self.width, self.height = horizontal, horizontal.width, height
        self.right, self.log = horizontal.right, log
        if log:
            spread = max(1.05, (high / low) ** 0.06)
            self.low, self.high = low / spread, high * spread
        else:
            low = min(low, high * (1 - LEAST_SPAN)) if low >= 0 else low
            pad = (high - low) * 0.06 or max(0.1, abs(high) * 0.1)
            self.low, self.high = max(0.0, low - pad) if low >= 0 else low - pad, high + pad

    def x(self, step: float) -> float:
        return self.horizontal.x(step)

    def y(self, value: float) -> float:
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return TOP + (1 - min(1.0, max(0.0, share))) * (self.height - TOP - BOTTOM)

    def path(self, points: Sequence[Point]) -> str:
        """The line through the points, with one decimal: less text, and no eye sees more."""
        if self.log:
            return "M" + "L".join(f"{self.x(step):.1f} {self.y(value):.1f}" for step, value in points)
        first = self.horizontal.first
        wide = (self.right - LEFT) / (self.horizontal.last - first)
        down = (self.height - TOP - BOTTOM) / (self.high - self.low)
        top, high = TOP, self.high
        return "M" + "L".join(
            f"{LEFT + (step - first) * wide:.1f} {top + (high - value) * down:.1f}" for step, value in points
        )


def loss_chart(
    curves: Sequence[Curve],
    *,
    width: int,
    height: int,
    total_steps: int,
    palette: Palette,
    bands: Zones | None = None,
    marks: Sequence[Mark] = (),
    view: View = View(),
) -> str:
    """The large chart of a run as SVG text of exactly `width` by `height` pixels."""
    horizontal = across(width, curves, total_steps, view)
    parts_of = [(curve, *within(curve, horizontal.first, horizontal.last)) for curve in curves]
    buckets = max(50, int(width - LEFT))
    drawn = [(curve, *decimate(steps, values, buckets)) for curve, steps, values in parts_of]
    values = [value for _, points, _ in drawn for _, value in points] or [0.0, 1.0]
    log = view.log and min(values) > 0
    frame = _Frame(horizontal, height, min(values), max(values), log)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    ]
    if bands is not None:
        parts += _bands(frame, bands, palette)
    parts += _axes(frame, palette)
    parts += _marks(frame, [mark for mark in marks if horizontal.first <= mark.step <= horizontal.last])
    cut = (
        f'<clipPath id="c"><rect x="{LEFT}" y="0" width="{horizontal.right - LEFT:.1f}" height="{height}"/></clipPath>'
    )
    parts.append(f'{cut}<g clip-path="url(#c)">')
    for curve, points, means in drawn:
        parts += _line(frame, curve, points, means, view.smoothing)
    return "".join([*parts, "</g></svg>"])


def _bands(frame: _Frame, bands: Zones, palette: Palette) -> list[str]:
    """Three faint bands, each with its word at the right edge."""
    rows = (
        ("problem", frame.high, bands.problem, palette.red),
        ("acceptable", bands.problem, bands.good, palette.amber),
        ("good", bands.good, frame.low, palette.green),
    )
    parts = []
    for name, high, low, color in rows:
        top, bottom = frame.y(high), frame.y(low)
        if bottom - top < 1:
            continue
        across = frame.right - LEFT
        parts.append(
            f'<rect x="{LEFT}" y="{top:.1f}" width="{across:.1f}" height="{bottom - top:.1f}" fill="{color}" '
            'fill-opacity="0.07"/>'
        )
        if bottom - top >= 18:
            beside = frame.right < frame.width - 20
            x, anchor = (frame.right + 8, "start") if beside else (frame.right - 6, "end")
            parts.append(_words(x, (top + bottom) / 2 + 4, name, color, anchor))
    return parts


def _axes(frame: _Frame, palette: Palette) -> list[str]:
    parts = []
    for value in (log_ticks if frame.log else ticks)(frame.low, frame.high):
        y = frame.y(value)
        parts.append(_rule(frame, y, palette.border))
        parts.append(_words(LEFT - 8, y + 4, short(value), palette.secondary, "end"))
    floor = frame.height - BOTTOM
    for step in ticks(frame.horizontal.first, frame.horizontal.last, max(2, int(frame.width // 140))):
        if step == int(step):
            anchor = "middle"
            parts.append(_words(frame.x(step), floor + 18, amount(step), palette.secondary, anchor))
    parts.append(_rule(frame, floor, palette.field))
    return parts


def _rule(frame: _Frame, y: float, color: str) -> str:
    """A thin line across, on whole pixels."""
    return f'<rect x="{LEFT}" y="{round(y)}" width="{frame.right - LEFT:.1f}" height="1" fill="{color}"/>'


def _marks(frame: _Frame, marks: Sequence[Mark]) -> list[str]:
    """Small triangles on the step axis, with a thin line up."""
    parts = []
    floor = frame.height - BOTTOM
    for mark in marks:
        x = frame.x(mark.step)
        parts.append(
            f'<rect x="{round(x)}" y="{TOP}" width="1" height="{floor - TOP:.1f}" fill="{mark.color}" '
            'fill-opacity="0.4"/>'
            f'<path d="M{x - 5:.1f} {floor}L{x + 5:.1f} {floor}L{x:.1f} {floor - 8}Z" fill="{mark.color}"/>'
        )
    return parts


def _line(frame: _Frame, curve: Curve, points: Sequence[Point], means: Sequence[Point], smoothing: float) -> list[str]:
    if not points:
        return []
    if len(points) == 1:
        x, y = frame.x(points[0][0]), frame.y(points[0][1])
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{curve.color}"/>']
    line = 'fill="none" stroke-linejoin="round" stroke-linecap="round"'
    if not curve.smooth or not smoothing or len(points) < 12:
        return [f'<path d="{frame.path(points)}" {line} stroke="{curve.color}" stroke-width="2"/>']
    return [
        f'<path d="{frame.path(points)}" {line} stroke="{curve.color}" stroke-opacity="0.3" stroke-width="1"/>',
        f'<path d="{frame.path(smoothed(means, smoothing))}" {line} stroke="{curve.color}" stroke-width="2"/>',
    ]


def _words(x: float, y: float, words: str, color: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-family="Inter" font-size="12" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def sparkline(values: Sequence[float], *, width: int, height: int, color: str) -> str:
    """A small curve without axes."""
    points, means = decimate(range(len(values)), values, width)
    shown = smoothed(means, 0.2) if len(means) > 24 else points
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    if len(shown) < 2:
        return head + "</svg>"
    low, high = min(value for _, value in shown), max(value for _, value in shown)
    span, last = (high - low) or 1.0, shown[-1][0] or 1.0
    path = "L".join(
        f"{2 + step / last * (width - 4):.1f} {2 + (high - value) / span * (height - 4):.1f}" for step, value in shown
    )
    return f'{head}<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.5" stroke-linejoin="round"/></svg>'


def in_words(train: Curve, validation: Curve | None, total_steps: int) -> str:
    """What the chart shows, for people who do not see it."""
    finite = [value for value in train.values if math.isfinite(value)]
    if not finite:
        return "Loss curve: no values yet."
    sentence = f"Training loss went from {short(finite[0])} to {short(finite[-1])} by step {amount(train.steps[-1])}"
    sentence += f" of {amount(total_steps)}." if total_steps else "."
    if validation is not None and len(validation.values):
        best = min(range(len(validation.values)), key=lambda index: validation.values[index])
        sentence += (
            f" Validation loss is {short(validation.values[-1])}; the best was {short(validation.values[best])}"
            f" at step {amount(validation.steps[best])}."
        )
    return sentence
