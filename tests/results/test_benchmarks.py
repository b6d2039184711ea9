"""Public benchmarks: the harness asked through its command line, its files read, and what they show."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.results.benchmarks import benchmarked
from engine.results.tasks import public_tasks, tasks_in
from engine.spec.answers import BASE
from engine.spec.benchmarks import LIBRARY, MARK, TaskScore, installed
from engine.spec.exits import Exit
from engine.spec.files import LineReader, LineWriter, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Control, LaunchRecord
from engine.spec.runspec import AdapterRef, BenchmarkJob, ModelRef
from engine.worker.benchmark import Benchmark, _see_these_libraries
from engine.worker.control import ControlFile
from engine.worker.fault import Fault
from engine.worker.reporter import Reporter
from studio.terminal.benchmarking import tasks_of
from tests.making import run_folder, train_spec

HARNESS = """
import json, os, pathlib, sys, time
words = sys.argv[1:]
given = {words[i]: words[i + 1] for i in range(1, len(words) - 1) if words[i].startswith("--")}
try:
    model = json.loads(given["--model_args"])
except ValueError:
    model = dict(each.split("=", 1) for each in given["--model_args"].split(","))
asked = pathlib.Path(__file__).parent / "asked.jsonl"
with asked.open("a") as file:
    file.write(json.dumps({"words": words, "model": model, "offline": os.environ["HF_HUB_OFFLINE"]}) + "\\n")
if given["--tasks"] == "unheard-of":
    sys.exit("Tasks were not found: unheard-of")
if given["--tasks"] == "elsewhere":
    sys.exit("ConnectionError: Couldn't reach 'x/elsewhere' on the Hub (OfflineModeIsEnabled)")
if given["--tasks"] == "slow":
    time.sleep(60)
if given["--tasks"] == "steps":
    print("Running loglikelihood requests:  50%|#####     | 20/40", end="\\r", file=sys.stderr, flush=True)
    time.sleep(0.5)
    print("Running loglikelihood requests: 100%|##########| 40/40", file=sys.stderr, flush=True)
tuned = "peft" in model
out = pathlib.Path(given["--output_path"]) / "model"
out.mkdir(parents=True)
values = {"name": "toy", "acc,none": 0.9 if tuned else 0.5, "acc_stderr,none": 0.1}
values["perplexity,none"] = 3.0 if tuned else 9.0
report = {"results": {"toy": values}, "higher_is_better": {"toy": {"acc": True, "perplexity": False}}}
(out / "results_2026-01-01.json").write_text(json.dumps(report))
rows = [{"doc_id": i, "filter": "none", "acc": float(i % 10 < (9 if tuned else 5))} for i in reversed(range(40))]
(out / "samples_toy_2026-01-01.jsonl").write_text("\\n".join(map(json.dumps, rows)))
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with a stand-in that keeps to the harness's command line and files."""
    place = tmp_path / "lm-eval"
    venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32").create(place)
    package = next(place.rglob("site-packages")) / "lm_eval"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(HARNESS)
    (place / MARK).write_text(LIBRARY)
    return place


def job(environment: Path, **changes: object) -> BenchmarkJob:
    plain = BenchmarkJob(
        model=ModelRef(path="base-model", name="tiny", fingerprint="f"),
        adapters=(AdapterRef(name="tuned", path="adapter", whole=False),),
        tasks=("toy",),
        tasks_folder="",
        rows=40,
        few_shot=None,
        chat=False,
        online=False,
        precision="fp32",
        batch_size=4,
        seed=0,
        environment=str(environment),
    )
    return msgspec.structs.replace(plain, **changes)


def attempt(folder: RunFolder, number: int = 0) -> Exit:
    write_struct(folder.launch_file, LaunchRecord(attempt=number, pid=0, process_started=0, host="", time=0, threads=1))
    reporter = Reporter(folder, number)
    reporter.start()
    wish = folder.spec().job
    assert isinstance(wish, BenchmarkJob)
    try:
        return Benchmark(wish, folder, reporter, ControlFile(folder, reporter, number)).run()
    finally:
        reporter.close()


def made(place: Path, wish: BenchmarkJob) -> RunFolder:
    return run_folder(place, msgspec.structs.replace(train_spec(Path("m"), Path("d")), job=wish))


def asked(environment: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in next(environment.rglob("asked.jsonl")).read_text().splitlines()]


def test_base_and_tuned_are_asked_alike_and_their_scores_kept(tmp_path: Path, environment: Path) -> None:
    folder = made(tmp_path / "run", job(environment, chat=True, few_shot=2, tasks_folder="own"))
    assert attempt(folder) is Exit.COMPLETED
    scores = LineReader(folder.results_file, TaskScore).read()
    assert [(each.model, each.metric, each.value, each.higher_is_better) for each in scores] == [
        (BASE, "acc", 0.5, True), (BASE, "perplexity", 9.0, False),
        ("tuned", "acc", 0.9, True), ("tuned", "perplexity", 3.0, False),
    ]  # fmt: skip
    assert scores[0].rows == tuple(float(i % 10 < 5) for i in range(40)) and scores[1].rows == ()
    base, tuned = asked(environment)
    assert base["offline"] == "1"
    plain = {"pretrained": "base-model", "dtype": "float32"}
    assert base["model"] == plain and tuned["model"] == {**plain, "peft": "adapter"}
    others = [
        [word for word in map(str, each["words"]) if "harness" not in word and "{" not in word]
        for each in (base, tuned)
    ]
    assert others[0] == others[1]
    words = " ".join(map(str, base["words"]))
    for wanted in ("--include_path own", "--num_fewshot 2", "--apply_chat_template", "--limit 40", "--log_samples"):
        assert wanted in words


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(" ,=%{}'\"\\äß", min_size=1, max_size=12), st.booleans())
@example("my models, v=2", True)
def test_a_path_may_hold_anything(tmp_path: Path, environment: Path, name: str, whole: bool) -> None:
    model = ModelRef(path=f"/models/{name}/base", name="tiny", fingerprint="f")
    adapter = AdapterRef(name="tuned", path=f"/versions/{name}", whole=whole)
    place = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
    assert attempt(made(place, job(environment, model=model, adapters=(adapter,)))) is Exit.COMPLETED
    base, tuned = (each["model"] for each in asked(environment)[-2:])
    expected = {"pretrained": adapter.path} if whole else {"pretrained": model.path, "peft": adapter.path}
    assert base == {"pretrained": model.path, "dtype": "float32"}
    assert tuned == {"dtype": "float32", **expected}


def test_a_whole_model_is_named_by_its_own_folder(tmp_path: Path, environment: Path) -> None:
    whole = AdapterRef(name="tuned", path="whole-model", whole=True)
    folder = made(tmp_path / "run", job(environment, adapters=(whole,), precision="bf16", online=True))
    attempt(folder)
    assert asked(environment)[1]["model"] == {"pretrained": "whole-model", "dtype": "bfloat16"}
    assert asked(environment)[1]["offline"] == "0"


def test_a_stopped_benchmark_ends_the_harness_and_a_resumed_one_asks_only_what_is_left(
    tmp_path: Path, environment: Path
) -> None:
    folder = made(tmp_path / "run", job(environment, tasks=("slow",)))
    write_struct(folder.control_file, Control(seq=1, attempt=0, stop=True))
    assert attempt(folder) is Exit.STOPPED
    done = TaskScore(model=BASE, task="toy", metric="acc", value=0.5, error=None, higher_is_better=True, rows=())
    other = made(tmp_path / "other", job(environment))
    lines = LineWriter(other.results_file)
    lines.write(done)
    lines.close()
    assert attempt(other, 1) is Exit.COMPLETED
    assert [each["words"] for each in asked(environment) if "toy" in each["words"]] == [asked(environment)[-1]["words"]]


@pytest.mark.parametrize(
    ("task", "exit_code", "what", "why"),
    [
        ("unheard-of", Exit.BAD_DATA, "could not be run", "Tasks were not found: unheard-of"),
        ("elsewhere", Exit.MISSING_FILES, "not on this machine yet", "may not use the network"),
    ],
)
def test_what_the_harness_says_when_it_fails_is_on_the_card(
    tmp_path: Path, environment: Path, task: str, exit_code: Exit, what: str, why: str
) -> None:
    with pytest.raises(Fault, match=r".*") as caught:
        attempt(made(tmp_path / "run", job(environment, tasks=(task,))))
    assert caught.value.exit_code is exit_code and what in caught.value.card.what and why in caught.value.card.why


@pytest.mark.parametrize(
    ("pip", "why"),
    [
        ("ERROR: No matching distribution found", "pip said: ERROR: No matching distribution found"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching", "has no network now"),
    ],
    ids=["refused", "offline"],
)
def test_the_harness_is_installed_once_and_a_failure_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pip: str, why: str
) -> None:
    calls: list[list[str]] = []
    codes = iter([1, 0])

    def wait(self: Benchmark, words: list[str], *, online: bool, begun: int | None = None) -> int:
        calls.append(words)
        (self.folder.path / "harness.txt").write_text(pip)
        return next(codes) if "pip" in words else 0

    monkeypatch.setattr(Benchmark, "_wait", wait)
    bare = venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32")
    monkeypatch.setattr("engine.worker.benchmark.venv.EnvBuilder", lambda **_: bare)
    monkeypatch.setattr("engine.worker.benchmark.read_scores", lambda out, model: [])
    place = tmp_path / "env"
    with pytest.raises(Fault) as caught:
        attempt(made(tmp_path / "run", job(place)))
    assert caught.value.exit_code is Exit.MISSING_LIBRARY and not (place / MARK).exists()
    assert why in caught.value.card.why and not installed(place)
    assert attempt(made(tmp_path / "again", job(place))) is Exit.COMPLETED
    assert (place / MARK).read_text() == LIBRARY
    assert sum("pip" in words for words in calls) == 2 and installed(place)


def test_a_python_without_pip_for_environments_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise subprocess.CalledProcessError(1, ["ensurepip"])

    monkeypatch.setattr("engine.worker.benchmark.venv.EnvBuilder.create", refuse)
    with pytest.raises(Fault) as caught:
        attempt(made(tmp_path / "run", job(tmp_path / "env")))
    assert any("python3-venv" in action.label for action in caught.value.card.actions)


def test_without_tasks_the_harness_is_only_installed(tmp_path: Path, environment: Path) -> None:
    folder = made(tmp_path / "run", job(environment, tasks=()))
    assert attempt(folder) is Exit.COMPLETED
    assert not list(environment.rglob("asked.jsonl")) and not folder.results_file.exists()


def test_how_far_it_is_is_told_on_the_way_and_not_of_the_model_before(
    tmp_path: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(Reporter, "at", lambda self, step, total: told.append((step, total)))
    monkeypatch.setattr("engine.worker.benchmark.LOOK_SECONDS", 0.02)
    assert attempt(made(tmp_path / "run", job(environment, tasks=("steps",)))) is Exit.COMPLETED
    steps = [step for step, _ in told]
    assert steps == sorted(steps) and {total for _, total in told} == {200}
    assert {50, 150} <= set(steps) and steps[-1] == 200


def test_the_difference_comes_with_its_evidence_and_knows_which_way_is_better(tmp_path: Path) -> None:
    lines = LineWriter(tmp_path / "results.jsonl")
    for model, right, loss in ((BASE, 20, 3.0), ("tuned", 36, 1.0)):
        rows = tuple(float(i < right) for i in range(40))
        losses = tuple(loss + 0.01 * i for i in range(40))
        common = {"model": model, "error": None}
        lines.write(TaskScore(task="a", metric="acc", value=right / 40, higher_is_better=True, rows=rows, **common))
        lines.write(TaskScore(task="b", metric="loss", value=loss, higher_is_better=False, rows=losses, **common))
        lines.write(TaskScore(task="c", metric="f1", value=0.1, higher_is_better=True, rows=(), **common))
    lines.close()
    found = benchmarked(tmp_path / "results.jsonl", "tuned")
    assert [(each.task, each.better, each.examples) for each in found] == [("a", 1, 40), ("b", 1, 40), ("c", 0, 0)]
    assert found[0].paired is not None and found[0].paired.test == "exact McNemar"
    assert found[0].paired.corrected == pytest.approx(2 * 2 * 0.5**16)
    assert found[2].paired is None
    back = benchmarked(tmp_path / "results.jsonl", "nobody")
    assert back == ()


def test_the_tasks_of_a_folder_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "a.yaml").write_text("task: shop_faq  # questions\ndataset_path: json\n")
    (tmp_path / "more" / "b.yml").write_text("group: 'shop all'\ngroup: shop\ntask:\n  - shop_faq\n")
    (tmp_path / "c.yaml").write_text('include: a.yaml\nprocess: !function x.y\ntask: "shop_mail"\n')
    assert tasks_in(tmp_path) == ("shop_faq", "shop_mail", "shop")
    assert tasks_of([], tmp_path) == ("shop_faq", "shop_mail", "shop") and tasks_of(["mmlu"], tmp_path) == ("mmlu",)
    for folder, what in ((tmp_path / "none", "not there"), (tmp_path / "empty", "no tasks")):
        if "empty" in folder.name:
            folder.mkdir()
        with pytest.raises(DataError, match=what):
            tasks_in(folder)


def test_the_public_tasks_are_those_that_the_harness_knows() -> None:
    assert {"hellaswag", "mmlu", "truthfulqa_mc2"} == {each.name for each in public_tasks()}
    assert all(each.about.endswith(".") and each.examples > 0 for each in public_tasks())


@pytest.mark.worker
@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed: `run.py test --with benchmarks`")
def test_the_harness_itself_gives_what_the_likelihoods_say(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    starter = Path(__file__).parents[2] / "assets" / "starter"
    place = tmp_path / "env"
    venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32").create(place)
    _see_these_libraries(place, place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    (place / MARK).write_text(LIBRARY)
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    asks = [f"My {thing} came with a crack." for thing in ("lamp", "clock", "mug", "chair")]
    rows = [{"question": each, "choices": [" Thank you.", " A crack."], "answer": i % 2} for i, each in enumerate(asks)]
    (tasks / "toy.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tasks / "toy.yaml").write_text(
        f"task: toy\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {tasks / 'toy.jsonl'}\n"
        "test_split: test\noutput_type: multiple_choice\ndoc_to_text: '{{question}}'\ndoc_to_choice: '{{choices}}'\n"
        "doc_to_target: '{{answer}}'\ntarget_delimiter: ''\nmetric_list:\n  - metric: acc\n"
    )
    wish = job(place, model=ModelRef(path=str(starter), name="s", fingerprint=""), adapters=(), rows=None)
    folder = made(tmp_path / "run", msgspec.structs.replace(wish, tasks_folder=str(tasks)))
    assert attempt(folder) is Exit.COMPLETED
    model, tokenizer = AutoModelForCausalLM.from_pretrained(starter), AutoTokenizer.from_pretrained(starter)

    def likelihood(question: str, answer: str) -> float:
        start = len(tokenizer(question, add_special_tokens=False).input_ids)
        ids = torch.tensor([tokenizer(question + answer, add_special_tokens=False).input_ids])
        with torch.no_grad():
            scores = model(ids).logits.log_softmax(-1)
        return sum(scores[0, i - 1, ids[0, i]].item() for i in range(start, ids.shape[1]))

    chosen = [max((0, 1), key=lambda c, row=row: likelihood(row["question"], row["choices"][c])) for row in rows]
    expected = tuple(float(pick == row["answer"]) for pick, row in zip(chosen, rows, strict=True))
    (score,) = LineReader(folder.results_file, TaskScore).read()
    assert score.rows == expected
