"""Sweeps, the queue and finished runs by hand: one action, a table, plain words (requirements W9, G11, F10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.home import Home
from engine.core.settings import Settings, save
from tests.terminal.test_commands import answer, call

pytestmark = pytest.mark.worker
LEARN = ("--set", "epochs=1", "--set", "rank=2")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Home with forty rows."""
    path = tmp_path / "rows.csv"
    lines = ["instruction,output"] + [f"What time is it at {n}?,It is {n} o'clock." for n in range(40)]
    path.write_text("\n".join(lines), encoding="utf-8")
    answer(tmp_path / "home", "data", "import", str(path))
    return tmp_path / "home"


def ended(home: Path, sweep: dict[str, Any]) -> None:
    """Wait for every run of the sweep."""
    for member in sweep["members"]:
        assert call(home, "watch", member["run"])[0] == 0


def test_a_sweep_is_one_action_and_its_best_run_is_marked(home: Path) -> None:
    sweep = answer(home, "sweep", "start", "rows", "--over", "learning_rate=1e-6,1e-3", *LEARN, "--name", "rates")
    assert [member["values"] for member in sweep["members"]] == [{"learning_rate": 1e-6}, {"learning_rate": 1e-3}]
    weak, strong = (member["run"] for member in sweep["members"])
    waits = answer(home, "queue")
    assert {each["run"] for each in waits} <= {weak, strong} and all(each["memory"] > 0 for each in waits)
    ended(home, sweep)

    view = answer(home, "sweep", "show", "rates")
    assert view["best"] == strong
    rows = {row["run"]: row for row in view["rows"]}
    assert rows[strong]["best_validation"] < rows[weak]["best_validation"]
    assert rows[strong]["quality"] > rows[weak]["quality"]
    code, out, _ = call(home, "sweep", "show")
    assert code == 0 and "★ 2" in out and "Best: learning_rate=0.001" in out
    assert answer(home, "sweep", "list")[0]["settings"] == ["learning_rate"]

    report = answer(home, "show", strong)
    assert report["reading"]["score"] == rows[strong]["quality"] == report["view"]["quality"]
    assert report["scored"]["peak_bytes"] > 0 and report["expected"]["memory"]["expected"] > 0
    code, out, _ = call(home, "show", weak)
    for words in ("Quality", "what it rests on", "On held-out rows", "To try next", "--set", "was estimated"):
        assert words in out
    assert answer(home, "plan", "rows")["estimate"]["calibrated"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--over", "rank=4,0"), "rank=0 cannot be planned"),
        (("--over", "rank=4", "--over", "nothing=1,2"), "rank=4, nothing=1 cannot be planned"),
        (("--over", "rank"), "does not say what to try"),
        (("--over", "learning_rate=1e-5..1e-3"), "needs a number of runs"),
        (("--over", "method=lora,lorra"), "method=lorra cannot be planned"),
    ],
    ids=["out of limits", "unknown setting", "no values", "range in a grid", "unknown method"],
)
def test_a_sweep_with_one_impossible_combination_queues_nothing(home: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = call(home, "sweep", "start", "rows", *words)
    assert (code, out) == (1, "")
    assert said in err and "•" in err
    assert answer(home, "runs") == [] and answer(home, "sweep", "list") == []


def test_a_waiting_run_can_be_put_first(home: Path) -> None:
    words = ("--random", "3", "--over", "learning_rate=1e-5..1e-3", "--over", "method=lora,rslora")
    sweep = answer(home, "sweep", "start", "rows", *words, "--set", "epochs=50", "--name", "drawn")
    first, *_, last = (member["run"] for member in sweep["members"])
    assert answer(home, "queue", "first", last) == {"run": last, "priority": 1}
    assert answer(home, "queue")[0]["run"] == last
    assert answer(home, "queue", "move", last, "--priority", "-1")["priority"] == -1
    assert answer(home, "queue")[-1]["run"] == last
    code, out, _ = call(home, "queue")
    assert code == 0 and "comes after drawn 2" in out and last in out
    assert set(answer(home, "sweep", "stop")["runs"]) == {member["run"] for member in sweep["members"]}
    call(home, "watch", first)
    assert answer(home, "queue") == [] == answer(home, "sweep", "stop")["runs"]


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    save(home.settings, Settings())
    assert "Nothing waits" in call(home.path, "queue")[1]
    for words, said in ((("sweep", "show", "x"), "no sweep"), (("show", "x"), "no run"), (("queue", "first"), "")):
        code, _, err = call(home.path, *words)
        assert code and said in err
