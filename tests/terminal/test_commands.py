"""The command line by hand: one JSON object, exit codes that mean something, cards instead of stacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.core.home import Home
from engine.engine import Engine
from engine.runs.process import started_at
from engine.spec.files import write_struct
from engine.spec.records import LaunchRecord, RunState, StateRecord
from tests.making import run_folder, train_spec

CLI = [sys.executable, "-P", "-m", "studio.cli"]


def call(home: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run([*CLI, *words, "--home", str(home)], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def answer(home: Path, *words: str) -> Any:
    code, out, err = call(home, *words, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Rows nobody wrote for this test: semicolons, umlauts in cp1252, one line broken."""
    path = tmp_path / "fragen.csv"
    lines = ["frage;antwort"] + [f"Wie spät ist es um {n} Uhr?;Es ist {n} Uhr, schön." for n in range(40)]
    path.write_bytes("\n".join([*lines, "nur eine Spalte", ""]).encode("cp1252"))
    return path


def test_data_goes_in_and_is_seen_again(tmp_path: Path, table: Path) -> None:
    home = tmp_path / "home"
    found = answer(home, "data", "inspect", str(table))
    assert (found["format"], found["encoding"]) == ("csv", "cp1252")
    assert found["rows"] == {"read": 41, "kept": 40, "bad": 1}
    assert found["bad"][0]["line"] == 42
    dataset = answer(home, "data", "import", str(table), "--map", "instruction=frage", "--map", "output=antwort")
    assert dataset["rows"] == 40
    assert answer(home, "data", "list")[0]["id"] == dataset["id"]
    shown = answer(home, "data", "show", "fragen", "--rows", "2")
    assert "schön" in shown["rows"][0]["messages"][1]["content"]
    planned = answer(home, "plan", "fragen")
    assert planned["total_steps"] > 0
    assert all(value["reason"] for value in planned["values"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data", "import", "missing.csv"], "missing.csv"),
        (["train", "nothing"], "nothing"),
        (["watch", "nothing"], "no run"),
        (["chat", "nothing", "-p", "x"], "no version"),
        (["eval", "last"], "no version"),
        (["plan", "nothing", "--set", "epochs"], "not a setting"),
        (["pause", "last"], "no run"),
        (["adjust", "last", "--learning-rate", "0.001"], "no run"),
        (["adjust", "last"], "No new value was given"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_refusal_is_a_card_with_actions_and_no_stack(tmp_path: Path, words: list[str], said: str) -> None:
    code, _out, err = call(tmp_path / "home", *words)
    assert code == 1
    assert said in err
    assert "•" in err
    assert "Traceback" not in err
    code, out, _err = call(tmp_path / "home", *words, "--json")
    assert code == 1
    assert json.loads(out.splitlines()[-1])["error"]["actions"]


def test_wrong_usage_is_exit_code_two(tmp_path: Path) -> None:
    assert call(tmp_path, "train")[0] == 2
    assert call(tmp_path, "dance")[0] == 2


def test_doctor_says_what_is_there(tmp_path: Path) -> None:
    report = answer(tmp_path / "home", "doctor")
    assert report["ready"] is True
    assert report["home"] == str(tmp_path / "home")


def test_a_keeper_leaves_when_nothing_goes_on(tmp_path: Path, table: Path) -> None:
    home = tmp_path / "home"
    answer(home, "data", "import", str(table), "--map", "instruction=frage", "--map", "output=antwort")
    holder = Home(home).holder()
    assert holder is not None and holder.role == "keeper"
    end = time.monotonic() + 30
    while Home(home).holder() is not None:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_values_of_a_run_at_work_are_changed(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    folder = run_folder(home.runs / "run-1", train_spec(tmp_path, tmp_path))
    launch = LaunchRecord(
        attempt=0, pid=os.getpid(), process_started=started_at(os.getpid()), host="", time=time.time(), threads=1
    )
    write_struct(folder.launch_file, launch)  # its worker is this process
    folder.write_state(StateRecord(state=RunState.RUNNING, step=1, total_steps=9, time=time.time()))
    said = answer(home.path, "adjust", "run-1", "--learning-rate", "0.0007", "--validate-every", "5")
    assert said == {"run": "run-1", "learning_rate": 0.0007, "validate_every": 5}
    control = folder.control()
    assert control and (control.learning_rate, control.validate_every, control.checkpoint_every) == (0.0007, 5, None)
    code, _, err = call(home.path, "adjust", "run-1", "--learning-rate", "7")
    assert code == 1 and "7 is not between 0 and 1" in err and folder.control() == control


def test_an_app_takes_the_home_over_from_a_keeper_and_commands_go_on_working(tmp_path: Path, table: Path) -> None:
    home = tmp_path / "home"
    answer(home, "data", "import", str(table), "--map", "instruction=frage", "--map", "output=antwort")

    async def app() -> list[dict[str, object]]:
        async with Engine.open(home) as engine:
            holder = engine.home.holder()
            assert holder is not None and (holder.role, holder.pid) == ("app", os.getpid())
            words = [*CLI, "plan", "fragen", "--json", "--home", str(home)]
            done = await anyio.run_process(words)
            return [json.loads(done.stdout.decode().splitlines()[-1])]

    assert anyio.run(app)[0]["total_steps"]


def test_without_the_training_libraries_everything_but_training_works(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "accelerate", "safetensors")
    block = tmp_path / "block"
    block.mkdir()
    (block / "sitecustomize.py").write_text(f"import sys\nfor name in {missing!r}: sys.modules[name] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(block))
    home = tmp_path / "home"
    answer(home, "data", "import", str(table), "--map", "instruction=frage", "--map", "output=antwort")
    assert answer(home, "plan", "fragen")["total_steps"]
    code, _out, err = call(home, "train", "fragen")
    assert code == 1
    assert "training libraries are not installed" in err
    assert "run.py" in err
    assert answer(home, "runs") == []
