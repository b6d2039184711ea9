"""What those compared took: time and electricity, brought to one device, for an epoch and a point of the score."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.core.settings import Settings
from engine.plan.calibration import Expected
from engine.plan.costs import Tariff, money, tariff_of
from engine.results.comparing import named
from engine.results.subjects import REFERENCE_WATTS, Subject, costs_rest_on, subject_of_run
from engine.results.versions import Versions
from engine.runs.standing import Expectation, keep_expectation
from engine.spec.files import LineWriter, read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Event, LaunchRecord, StateRecord
from tests.results.made import evaluation_of, finished_run, spec_of, version_in

EURO = Tariff(price=0.5, currency="EUR", own=True)
ENDED = 1_000.0


def took(folder: RunFolder, seconds: float, *, watts: float = 360.0, flops: float = 2e12, attempt: int = 0) -> None:
    """The run ended after so many seconds on a device that was planned for."""
    expected = Expected(low=1, expected=1, high=1)
    made = Expectation(
        device="a card", on_gpu=True, method="lora", parameters=1, seconds=expected, memory=expected, work_seconds=1,
        flops=flops, watts=watts,
    )  # fmt: skip
    keep_expectation(folder, made)
    begun = ENDED - seconds
    launch = LaunchRecord(attempt=attempt, pid=0, process_started=0, host="", time=begun, threads=1)
    write_struct(folder.launch_file, launch)
    state = read_struct(folder.state_file, StateRecord)
    write_struct(folder.state_file, msgspec.structs.replace(state, time=ENDED, attempt=attempt))


def test_time_and_cost_are_counted_for_an_epoch_and_on_one_device(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, spec_of("run-1"))
    took(folder, 100.0)
    found = subject_of_run(folder, EURO)
    assert found.seconds == 100.0 and found.normalised_seconds == 200.0  # at two trillion operations a second
    assert found.kwh == pytest.approx(0.01) and found.cost == pytest.approx(0.005)
    assert found.normalised_cost == pytest.approx(REFERENCE_WATTS * 200 / 3.6e6 * 0.5)
    assert found.seconds_per_epoch == pytest.approx(100.0 / found.epochs)
    assert found.cost_per_epoch == pytest.approx(0.005 / found.epochs) and found.currency == "EUR"


def test_a_resumed_run_is_counted_in_all_its_attempts(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, spec_of("run-1"))
    took(folder, 40.0, attempt=1)
    lines = LineWriter(folder.events_file)
    for attempt, begun, ended in ((0, 100.0, 160.0), (1, 960.0, ENDED)):
        for time in (begun, ended):
            lines.write(Event(kind="state", time=time, attempt=attempt, step=1, message="running"))
    lines.close()
    assert subject_of_run(folder, EURO).seconds == 100.0  # not the 40 of the last one, nor the hours between


def test_a_point_costs_by_the_versions_score_and_the_users_price(tmp_path: Path) -> None:
    versions, runs = Versions(tmp_path / "versions"), tmp_path / "runs"
    pair = [version_in(versions, runs, f"run-{i}") for i in (1, 2)]
    took(RunFolder(runs / "run-1"), 100.0)
    versions.keep_evaluation(pair[0], evaluation_of(tmp_path, pair[0].id, 0.5))
    scored, other = (each.subject for each in named(versions, runs, [each.id for each in pair], EURO))
    assert scored.score and scored.cost_per_point == pytest.approx(0.005 / scored.score)
    assert (other.cost, other.normalised_cost, other.cost_per_point) == (None, None, None)
    first, second, third = costs_rest_on((scored, other))
    assert "about 360 W of a card" in first and "your price of 0.5 EUR a kWh" in first and "not measured" in first
    assert second.startswith(f"What {other.title} cost is not known") and other.title in third


def test_a_price_that_was_not_given_is_said_to_be_assumed() -> None:
    usual, own = tariff_of(Settings()), tariff_of(Settings(electricity_price=0.4, currency="CHF", grid_carbon=30.0))
    assert not usual.own and (own.price, own.currency, own.carbon_grams, own.own) == (0.4, "CHF", 30.0, True)
    subject = Subject(id="a", title="a", version="", run="a", model="m", dataset="d", method="lora", settings={})
    known = msgspec.structs.replace(subject, cost=1.0, watts=50.0, device="a processor", tariff=usual, score=1.0)
    (said,) = costs_rest_on([known])
    assert "an assumed price (the settings take yours) of 0.3 USD a kWh" in said


@pytest.mark.parametrize(
    ("value", "words"), [(0.0, "0.00"), (12.3, "12.30"), (0.1, "0.10"), (0.0999, "0.100"), (0.000144, "0.00014")]
)
def test_small_amounts_keep_two_figures(value: float, words: str) -> None:
    assert money(value) == words
