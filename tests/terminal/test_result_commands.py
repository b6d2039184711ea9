"""Evaluating, comparing, caring for versions and packing one, from the command line, on the starter model."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import msgspec
import pytest

from engine.core.home import Home
from engine.data.library import import_file
from engine.data.nouns import Dataset
from engine.plan.models import read_base_model, starter_path
from engine.results.versions import Version, Versions
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import DataRef, TrainJob
from studio.terminal.evaluating import side_of
from tests.making import LORA, train_spec, without_dropout
from tests.results.made import finished_run
from tests.terminal.test_commands import CLI, answer, call

pytestmark = pytest.mark.worker


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def dataset(home: Home, tmp_path: Path) -> Dataset:
    """Thirty questions, six of them held out."""
    source = tmp_path / "shop.csv"
    lines = [f"Where is my lamp number {i}?,Your lamp number {i} is on its way." for i in range(30)]
    source.write_text("\n".join(["question,answer", *lines]), encoding="utf-8")
    return import_file(home.datasets, source)


def kept(home: Home, dataset: Dataset, run: str, strength: float) -> Version:
    """A version of the starter model with an adapter that was not trained: its weights are made by `strength`."""
    import torch

    from engine.worker.methods import adapted
    from engine.worker.model import load_base

    model = read_base_model(starter_path()).ref
    tuned = adapted(load_base(model, "fp32"), without_dropout(LORA), 1)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.add_(strength)
    spec = train_spec(starter_path(), home.prepared / "none")
    job = spec.job
    assert isinstance(job, TrainJob)
    data = DataRef(prepared=str(home.prepared / "none"), dataset=dataset.id, name=dataset.name, hash=dataset.hash)
    spec = msgspec.structs.replace(spec, id=run, name="shop", job=msgspec.structs.replace(job, model=model, data=data))
    folder = finished_run(home.runs, spec)
    for file in folder.adapter.iterdir():
        file.unlink()
    tuned.save_pretrained(folder.adapter)  # type: ignore[operator]
    version = Versions(home.versions).add(RunFolder(folder.path), {"validation_loss": 1.0}, 10)
    assert version is not None
    return version


@pytest.mark.parametrize(
    ("side", "dataset", "asked"),
    [
        (None, "", "held-out"),
        (None, "one", "all"),
        ("held-out", "one", "held-out"),
        ("test", "", "test"),
        ("all", "", "all"),
    ],
)
def test_the_side_that_is_named_is_asked(side: str | None, dataset: str, asked: str) -> None:
    assert side_of(side, dataset) == asked


def test_versions_are_measured_compared_cared_for_and_packed(home: Home, dataset: Dataset, tmp_path: Path) -> None:
    first, second = kept(home, dataset, "run-1", 0.0), kept(home, dataset, "run-2", 0.05)
    compared = answer(home.path, "compare", first.id, second.id)  # asks both versions first, in one run
    assert compared["rows"] == 6 and len(compared["subjects"]) == 2
    assert compared["measures"] and all(len(row["means"]) == 2 for row in compared["measures"])

    code, shown, _ = call(home.path, "compare", first.id, second.id)
    assert code == 0 and "3 differences were tested together" in shown and "ahead" in shown

    result = answer(home.path, "eval", first.id, "--contains", "lamp")
    assert result["outcome"] == "too few examples"  # six rows, and an adapter that does nothing
    assert result["exact_match"]["difference"] == 0
    assert {each["name"] for each in result["results"]} >= {"bleu", "chrf", "rouge_l", "pattern: has “lamp”"}
    assert answer(home.path, "evaluations", result["run"]) == [result]
    assert answer(home.path, "evaluations", first.id) == [result]
    assert answer(home.path, "evaluations")[0]["run"] == result["run"]
    assert result["verdict"] in " ".join(call(home.path, "evaluations", first.id)[1].split())
    evaluations = Versions(home.versions).evaluations(first)
    assert len(evaluations) == 2
    assert [each.base for each in evaluations[0].examples] == [each.base for each in evaluations[1].examples]

    code, _, said = call(home.path, "eval", first.id, "--judge-model", "nobody")
    assert code == 1 and "There is no judge “nobody”." in said
    assert len(Versions(home.versions).evaluations(first)) == 2  # refused before anything was asked
    nowhere = ("--judge-model", "x", "--judge-url", "http://127.0.0.1:9/v1")
    code, shown, said = call(home.path, "eval", first.id, *nowhere)
    assert code == 1 and "There are too few examples to tell" in shown and "The judge does not answer." in said

    answer(home.path, "versions", "use", first.id)
    answer(home.path, "versions", "use", second.id)
    assert answer(home.path, "versions", "back", "shop")["version"] == first.id
    answer(home.path, "versions", "label", first.id, "--tag", "good", "--notes", "for the shop")
    listed = {each["version"]["id"]: each for each in answer(home.path, "versions")}
    assert (listed[first.id]["active"], listed[second.id]["active"]) == (True, False)
    assert listed[first.id]["version"]["tags"] == ["good"]
    code, out, _ = call(home.path, "versions", "delete", first.id, "--yes", "--json")
    assert code == 1 and "in use" in out
    assert "is not archived, so it is ready" in call(home.path, "versions", "restore", second.id)[1]
    assert answer(home.path, "versions", "archive", second.id)["changed"]
    assert "was archived already." in " ".join(call(home.path, "versions", "archive", second.id)[1].split())
    code, out, _ = call(home.path, "compare", first.id, second.id, "--json")
    assert code == 0  # what was measured stays, also of an archived version

    capsule = tmp_path / "shop.zip"
    assert answer(home.path, "capsule", "make", first.id, "--out", str(capsule))["sound"]
    assert answer(home.path, "capsule", "verify", str(capsule))["capsule"]["dataset"]["inside"]
    with zipfile.ZipFile(capsule, "a") as package:
        package.writestr("adapter/more.bin", b"more")
    code, out, _ = call(home.path, "capsule", "run", str(capsule), "--json")
    assert code == 1 and "was added" in out

    weights = Versions(home.versions).folder(first) / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\1")
    code, out, _ = call(home.path, "eval", first.id, "--json")
    assert code == 1 and "adapter_model.safetensors" in out
    _, out, err = call(home.path, "versions")
    assert "●!" in out and f"{first.title} is not what was trained" in err


def _runs(run: Path) -> bool:
    """Whether its models are loaded: who asked for it has long begun to watch."""
    folder = RunFolder(run)
    return folder.state_file.exists() and folder.state().state is not RunState.INITIALIZING


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_who_stops_watching_an_evaluation_is_told_how_to_see_what_comes_of_it(home: Home, dataset: Dataset) -> None:
    version = kept(home, dataset, "run-1", 0.0)
    words = [*CLI, "eval", version.id, "--home", str(home.path)]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (runs := [each.parent for each in home.runs.glob("*evaluate*/launch.json")]) or not _runs(runs[0]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=60)
    assert "The evaluation goes on." in err and f"peft-studio evaluations {runs[0].name}" in err
    assert "resume" not in err
    answer(home.path, "watch", runs[0].name)
    [found] = answer(home.path, "evaluations", runs[0].name)
    assert found["version"] == version.id and found["base"]["examples"] == 6
