"""What is compared: a version, or a run that left none, with what it took and what it was made by."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.plan.costs import USUAL_TARIFF, Tariff, energy
from engine.results.continuing import method_settings
from engine.results.versions import Version, Versions
from engine.runs.index import view_of
from engine.runs.standing import Expectation, expectation
from engine.runs.views import RunView
from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.objectives import objective_name
from engine.spec.records import Event, Fact
from engine.spec.runspec import SpecInvalid, SpecTooNew, TrainJob

REFERENCE_WATTS = 100.0
REFERENCE = f"1 TFLOP/s and {REFERENCE_WATTS:.0f} W"
"""The device that costs of different machines are brought to."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One of those compared. What was not measured is None.

    `normalised_seconds` is the time on a device that reaches a trillion operations a second, so that runs of different
    machines can be compared, and `normalised_cost` what that costs on one that takes 100 W; `kwh` and `cost` are of
    electricity, at `watts` and `tariff`. `cost_per_point` is the cost for each point of the evaluation's score.
    `settings` are the recipe, by name.
    """

    id: str
    title: str
    version: str
    run: str
    model: str
    dataset: str
    method: str
    settings: dict[str, Fact]
    device: str = ""
    seconds: float | None = None
    normalised_seconds: float | None = None
    watts: float | None = None
    tariff: Tariff | None = None
    normalised_cost: float | None = None
    kwh: float | None = None
    cost: float | None = None
    currency: str = ""
    epochs: int = 0
    seconds_per_epoch: float | None = None
    cost_per_epoch: float | None = None
    score: float | None = None
    cost_per_point: float | None = None
    loss: float | None = None
    validation_loss: float | None = None
    best_validation: float | None = None
    quality: float | None = None


def subject_of_run(folder: RunFolder, tariff: Tariff = USUAL_TARIFF) -> Subject:
    """A run by itself. Raises OSError or SpecInvalid when its spec cannot be read."""
    job = folder.spec().job
    view = view_of(folder)
    if view.attempt:
        view = msgspec.structs.replace(view, seconds=seconds_of_all(folder))
    settings = settings_of(job) if isinstance(job, TrainJob) else {}
    return _with_costs(_of_view(view, settings), expectation(folder), tariff)


def seconds_of_all(folder: RunFolder) -> float:
    """How long a run that was resumed was at work in all its attempts, from each one's first word to its last."""
    spans: dict[int, tuple[float, float]] = {}
    for event in LineReader(folder.events_file, Event).read():
        begun, ended = spans.get(event.attempt, (event.time, event.time))
        spans[event.attempt] = min(begun, event.time), max(ended, event.time)
    return sum(ended - begun for begun, ended in spans.values())


def subject_of(versions: Versions, version: Version, run: RunFolder, tariff: Tariff = USUAL_TARIFF) -> Subject:
    """A version with its run's figures, where that run is still there and can be read."""
    found = versions.evaluation(version)
    try:
        subject = subject_of_run(run, tariff)
    except (OSError, SpecInvalid, SpecTooNew):
        subject = Subject(
            id=version.run,
            title="",
            version="",
            run=version.run,
            model=version.model,
            dataset=version.dataset,
            method=version.method,
            settings={},
            seconds=version.metrics.get("seconds"),
            loss=version.metrics.get("loss"),
            validation_loss=version.metrics.get("validation_loss"),
        )
    score = found.score.value if found and found.score else None
    return msgspec.structs.replace(
        subject,
        id=version.id,
        title=version.title,
        version=version.id,
        score=score,
        cost_per_point=subject.cost / score if subject.cost is not None and score else None,
    )


def _of_view(view: RunView, settings: dict[str, Fact]) -> Subject:
    return Subject(
        id=view.id,
        title=view.name,
        version="",
        run=view.id,
        model=view.model,
        dataset=view.dataset,
        method=view.method,
        settings=settings,
        seconds=view.seconds or None,
        epochs=view.epochs,
        seconds_per_epoch=view.seconds / view.epoch if view.seconds and view.epoch else None,
        loss=view.loss,
        validation_loss=view.validation_loss,
        best_validation=view.best_validation,
        quality=view.quality,
    )


def _with_costs(subject: Subject, expected: Expectation | None, tariff: Tariff) -> Subject:
    """What the time cost on the device that it was spent on."""
    seconds = subject.seconds
    if expected is None or seconds is None:
        return subject
    used = energy(expected.watts, seconds, tariff) if expected.watts else None
    normalised = seconds * expected.flops / 1e12 if expected.flops else None
    share = subject.seconds_per_epoch / seconds if subject.seconds_per_epoch else None
    return msgspec.structs.replace(
        subject,
        device=expected.device,
        watts=expected.watts or None,
        tariff=tariff,
        normalised_seconds=normalised,
        normalised_cost=energy(REFERENCE_WATTS, normalised, tariff).cost if normalised else None,
        kwh=used.kwh if used else None,
        cost=used.cost if used else None,
        currency=tariff.currency,
        cost_per_epoch=used.cost * share if used and share else None,
    )


def costs_rest_on(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """What the costs of these rest on, and why some are not known, in sentences."""
    said = []
    if known := [each for each in subjects if each.cost is not None and each.tariff is not None]:
        devices = dict.fromkeys(f"about {each.watts:,.0f} W of {each.device}" for each in known)
        tariff = known[0].tariff or USUAL_TARIFF
        whose = "your price" if tariff.own else "an assumed price (the settings take yours)"
        said.append(
            f"Electricity is worked out and not measured: the time, {both(list(devices))}, and {whose} of "
            f"{tariff.price:g} {tariff.currency} a kWh. What is at {REFERENCE} is the same work on one device for all, "
            "so that runs of different machines can be compared."
        )
    if without := [each.title for each in subjects if each.cost is None]:
        said.append(
            f"What {both(without)} cost is not known: nothing was kept of the machine and the time, or the run is gone."
        )
    if unscored := [each.title for each in subjects if each.score is None]:
        said.append(f"There is no cost of a point without a score: {both(unscored)} must be evaluated first.")
    return tuple(said)


def both(names: Sequence[str]) -> str:
    """Names in a sentence: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def settings_of(job: TrainJob) -> dict[str, Fact]:
    """The recipe as plain values by name: model, data, method, aim and every number."""
    method, own = method_settings(job.method)
    return {
        "model": job.model.name,
        "dataset": job.data.name,
        "dataset_hash": job.data.hash,
        "method": method,
        **own,
        "objective": objective_name(job.objective),
        **msgspec.structs.asdict(job.objective),
        **msgspec.structs.asdict(job.training),
        "parent": job.parent.name if job.parent else "",
    }
