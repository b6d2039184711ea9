"""A sweep is read off its runs: the table, the best one, and what became of the others (requirement W9)."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from engine.core.errors import RunError
from engine.runs.reading import keep_reading
from engine.runs.sweeps import FILE, Member, Sweep, SweepRow, Sweeps, best_of
from engine.spec.records import RunState
from tests.making import run_folder, train_spec
from tests.runs.made import ended_run


def kept(home: Path, *runs: str, name: str = "rates", made: float = 1.0) -> Sweeps:
    sweeps = Sweeps(home, home / "runs")
    sweeps.keep(
        Sweep(
            id=f"id-{name}",
            name=name,
            made=made,
            dataset="rows",
            settings=("rank",),
            drawn=0,
            seed=0,
            members=tuple(Member(run=run, values={"rank": number}) for number, run in enumerate(runs, start=1)),
        )
    )
    return sweeps


def test_the_table_says_how_each_run_stands_and_the_lowest_held_out_loss_is_best(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    keep_reading(ended_run(runs / "good", [3.0, 2.0, 1.5, 1.4], [2.0, 1.5]))
    ended_run(runs / "turned", [3.0, 1.0, 0.5, 0.1], [1.6, 2.5])
    ended_run(runs / "broken", [3.0], state=RunState.FAILED)
    made = train_spec(Path("model"), Path("rows"))
    run_folder(runs / "waiting", msgspec.structs.replace(made, id="waiting"))
    view = kept(tmp_path, "good", "turned", "broken", "waiting", "never").view("last")
    assert [row.state for row in view.rows] == [
        RunState.COMPLETED,
        RunState.COMPLETED,
        RunState.FAILED,
        RunState.CREATED,
        None,
    ]
    assert [row.values["rank"] for row in view.rows] == [1, 2, 3, 4, 5]
    assert (view.rows[0].best_validation, view.rows[0].validation_loss) == (1.5, 1.5)
    assert (view.rows[1].best_validation, view.rows[1].validation_loss) == (1.6, 2.5)
    assert view.best == "good" and view.rows[0].quality is not None
    assert view.unfinished == 1
    assert "not queued" in view.rows[4].problem


def row(run: str, state: RunState = RunState.COMPLETED, **numbers: float) -> SweepRow:
    return SweepRow(run=run, values={}, state=state, **numbers)  # type: ignore[arg-type]


BEST = {
    "held out before trained": (
        (row("a", loss=0.1, best_validation=2.0), row("b", loss=1.0, best_validation=1.0)),
        "b",
    ),
    "trained where nothing is held out": ((row("a", loss=0.1), row("b", loss=1.0)), "a"),
    "unfinished training does not count": ((row("a", RunState.RUNNING, loss=0.1), row("b", loss=1.0)), "b"),
    "nothing measured": ((row("a"), row("b")), None),
}


@pytest.mark.parametrize(("rows", "best"), BEST.values(), ids=BEST)
def test_the_best_run_is(rows: tuple[SweepRow, ...], best: str | None) -> None:
    assert best_of(rows) == best


def test_a_run_that_blew_up_is_never_the_best(tmp_path: Path) -> None:
    ended_run(tmp_path / "runs" / "blown", [3.0, math.nan], [math.nan, math.nan])
    ended_run(tmp_path / "runs" / "plain", [3.0, 2.9], [3.0, 2.9])
    view = kept(tmp_path, "blown", "plain").view("rates")
    assert view.best == "plain"
    assert (view.rows[0].loss, view.rows[0].best_validation) == (None, None)


def test_sweeps_are_found_by_name_id_and_last_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    kept(tmp_path, name="older", made=1.0)
    sweeps = kept(tmp_path, name="newer", made=2.0)
    assert [sweep.name for sweep in sweeps.all()] == ["newer", "older"]
    assert sweeps.find("last").name == sweeps.find("id-n").name == "newer"
    assert sweeps.find("older").id == "id-older"
    with pytest.raises(RunError, match="no sweep") as caught:
        sweeps.find("id-")
    assert "id-newer" in caught.value.card.why
    (tmp_path / "sweeps" / "id-newer" / FILE).write_bytes(b"{")
    assert sweeps.find("last").name == "older"
