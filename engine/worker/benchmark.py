"""Public benchmarks: lm-evaluation-harness in an environment of its own, on the base and on each tuned model.

Gao et al. 2024 (https://github.com/EleutherAI/lm-evaluation-harness). Its command line is the contract: it is installed
on demand beside the libraries that are here already, asked once for each model, and its files are read.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import torch

from engine.spec.answers import BASE
from engine.spec.benchmarks import LIBRARY, MARK, TaskScore, installed
from engine.spec.exits import Exit
from engine.spec.files import LineReader, LineWriter
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import AdapterRef, BenchmarkJob
from engine.worker.control import ControlFile, Wish
from engine.worker.fault import Fault
from engine.worker.reporter import Reporter

LOOK_SECONDS = 0.2
SAID = 400
"""Letters of the harness's last words that an error card quotes."""
TAIL_BYTES = 4_000
HOW_FAR = re.compile(r"Running \w+ requests:\s+(\d+)%")
"""The harness's own bar over the requests of one model."""
WHOLE = 100
"""Parts in which the way of one model is counted."""
NOT_FETCHED = "OfflineModeIsEnabled"
"""What the harness's last words have where a task's questions would have to be fetched, and may not be."""
UNREACHED = "connection broken by"
"""What pip says of a network that is not there."""


class Benchmark:
    """One run over all models. Goes on where an earlier attempt stopped: models that are done are not asked again."""

    def __init__(self, job: BenchmarkJob, folder: RunFolder, reporter: Reporter, control: ControlFile) -> None:
        self.job, self.folder, self.reporter, self.control = job, folder, reporter, control
        self._log = folder.path / "harness.txt"
        self._since = 0
        """Where in the log the program at work began."""

    def run(self) -> Exit:
        """Install what is missing, ask each model, write its scores. Raises Fault."""
        self.reporter.at(0, WHOLE * (1 + len(self.job.adapters)))
        self.reporter.enter(RunState.RUNNING)
        python = self._environment()
        if python is None:
            return self._left()
        if not self.job.tasks:
            self.reporter.at(WHOLE, WHOLE)
            self.reporter.event("finished", "lm-evaluation-harness is installed.")
            return Exit.COMPLETED
        return self._ask_all(python)

    def _ask_all(self, python: Path) -> Exit:
        """Each model that has no scores yet, the base first."""
        models: list[AdapterRef | None] = [None, *self.job.adapters]
        done = {score.model for score in LineReader(self.folder.results_file, TaskScore).read()}
        results = LineWriter(self.folder.results_file)
        try:
            for adapter in models:
                if name_of(adapter) in done:
                    continue
                self.reporter.at(WHOLE * len(done), WHOLE * len(models))
                self.reporter.event("asking", f"Asking the {'tuned' if adapter else 'base'} model.")
                found = self._ask(python, adapter, WHOLE * len(done))
                if found is None:
                    return self._left()
                for score in found:
                    results.write(score)
                done.add(name_of(adapter))
                self.reporter.at(WHOLE * len(done), WHOLE * len(models))
                self.reporter.metrics(WHOLE * len(done), progress=len(done) / len(models))
        finally:
            results.close()
        self.reporter.event("finished", f"{len(models)} models, {len(self.job.tasks)} tasks.")
        return Exit.COMPLETED

    def _left(self) -> Exit:
        return Exit.STOPPED if self.control.wish is Wish.STOP else Exit.PAUSED

    def _environment(self) -> Path | None:
        """The Python that has the harness; None when a wish came first. Raises Fault when it cannot be installed."""
        place = Path(self.job.environment)
        python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if installed(place):
            return python
        self.reporter.event("installing", f"Installing {LIBRARY} into an environment of its own, once.")
        shutil.rmtree(place, ignore_errors=True)
        try:
            venv.EnvBuilder(with_pip=True).create(place)
        except subprocess.CalledProcessError as error:
            raise _not_installed(
                f"This Python makes no environments with pip in them: {error}.",
                "Install the package that brings Python's venv, on Debian and Ubuntu python3-venv.",
            ) from error
        _see_these_libraries(place, python)
        code = self._wait([str(python), "-m", "pip", "--disable-pip-version-check", "install", LIBRARY], online=True)
        if code is None:
            return None
        if code and UNREACHED in self._said():
            raise _not_installed(
                "The package index could not be reached: this machine has no network now, or none to the outside.",
                "Connect to the network once; later runs need none.",
            )
        if code:
            raise _not_installed(f"pip said: {self._last_words()}", "Look at harness.txt in the run's folder.")
        (place / MARK).write_text(LIBRARY, encoding="utf-8")
        return python

    def _ask(self, python: Path, adapter: AdapterRef | None, begun: int) -> list[TaskScore] | None:
        """One model's scores; None when a wish came first. `begun` is how far the run is already. Raises Fault."""
        out = self.folder.path / "harness" / f"{name_of(adapter)}"
        shutil.rmtree(out, ignore_errors=True)
        code = self._wait([str(python), *self.words(adapter, out)], online=self.job.online, begun=begun)
        if code is None:
            return None
        if code:
            raise self._not_asked()
        return read_scores(out, name_of(adapter))

    def _not_asked(self) -> Fault:
        """Why the harness ended before its end."""
        said = f"lm-evaluation-harness said: {self._last_words()}"
        if NOT_FETCHED in said:
            remedy = "Start it anew and let it fetch them from the network (--online); later runs need none."
            what = "The questions of a task are not on this machine yet."
            return Fault(Exit.MISSING_FILES, what, f"This run may not use the network. {said}", remedy)
        return Fault(
            Exit.BAD_DATA,
            "The benchmark could not be run.",
            said,
            "Look whether the tasks are spelled as `lm-eval ls tasks` lists them, or are in the tasks' folder.",
            "Where a task's questions must be fetched, see that this machine is online, or take tasks of your own.",
        )

    def words(self, adapter: AdapterRef | None, out: Path) -> list[str]:
        """The harness's command line for one model; its settings are told as JSON, so that a path may hold anything."""
        job = self.job
        whole = adapter is not None and adapter.whole
        path = adapter.path if adapter is not None and whole else job.model.path
        model = {"pretrained": path, "dtype": "float32" if job.precision == "fp32" else "bfloat16"}
        if adapter is not None and not whole:
            model["peft"] = adapter.path
        words = ["-m", "lm_eval", "run", "--model", "hf", "--model_args", json.dumps(model)]
        words += ["--tasks", ",".join(job.tasks), "--batch_size", str(job.batch_size), "--seed", str(job.seed)]
        words += ["--device", "cuda" if torch.cuda.is_available() else "cpu"]
        words += ["--output_path", str(out), "--log_samples"]
        if job.tasks_folder:
            words += ["--include_path", job.tasks_folder]
        if job.few_shot is not None:
            words += ["--num_fewshot", str(job.few_shot)]
        if job.chat:
            words += ["--apply_chat_template"]
        return words + (["--limit", str(job.rows)] if job.rows else [])

    def _wait(self, words: list[str], *, online: bool, begun: int | None = None) -> int | None:
        """Run a program to its end and return its code; a wish ends it, and the answer is None.

        How far it says it is is told on the way, from `begun` on.
        """
        offline = "0" if online else "1"
        surroundings = os.environ | {
            "HF_HUB_OFFLINE": offline,
            "HF_DATASETS_OFFLINE": offline,
            "TOKENIZERS_PARALLELISM": "false",
        }
        for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
            surroundings.pop(name, None)
        with self._log.open("ab") as log:
            self._since = log.tell()
            process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=surroundings)
            while (code := process.poll()) is None:
                if self.control.look():
                    process.terminate()
                    process.wait()
                    return None
                if begun is not None:
                    self._tell_how_far(begun)
                time.sleep(LOOK_SECONDS)
        return code

    def _tell_how_far(self, begun: int) -> None:
        if said := HOW_FAR.findall(self._said()):
            self.reporter.at(begun + int(said[-1]), WHOLE * (1 + len(self.job.adapters)))

    def _said(self) -> str:
        """The end of what the program at work has said."""
        with self._log.open("rb") as log:
            log.seek(max(self._since, self._log.stat().st_size - TAIL_BYTES))
            return log.read().decode("utf-8", errors="replace")

    def _last_words(self) -> str:
        lines = self._said().replace("\r", "\n").strip().splitlines()
        return next((line for line in reversed(lines) if line.strip()), "nothing")[-SAID:]


def name_of(adapter: AdapterRef | None) -> str:
    """The name that a model's scores go under."""
    return adapter.name if adapter else BASE


def _not_installed(why: str, remedy: str) -> Fault:
    what = "lm-evaluation-harness could not be installed."
    return Fault(Exit.MISSING_LIBRARY, what, why, remedy, "Then resume this run.")


def _see_these_libraries(place: Path, python: Path) -> None:
    """Let the new environment find torch and transformers where they are: nothing large is fetched twice."""
    words = [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    packages = Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
    here = [each for each in sys.path if Path(each).name in ("site-packages", "dist-packages")]
    (packages / "libraries_of_peft_studio.pth").write_text("\n".join(here) + "\n", encoding="utf-8")


def read_scores(out: Path, model: str) -> list[TaskScore]:
    """What the harness wrote for one model. Raises Fault when it wrote nothing that can be read."""
    try:
        report: dict[str, Any] = json.loads(max(out.rglob("results_*.json")).read_text(encoding="utf-8"))
        better = report.get("higher_is_better", {})
        return [
            TaskScore(
                model=model,
                task=task,
                metric=metric.partition(",")[0],
                value=float(value),
                error=_error(values, metric),
                higher_is_better=bool(better.get(task, {}).get(metric.partition(",")[0], True)),
                rows=_rows(out, task, *metric.partition(",")[::2]),
            )
            for task, values in report["results"].items()
            for metric, value in values.items()
            if "," in metric and "_stderr," not in metric and isinstance(value, int | float)
        ]
    except (ValueError, KeyError, AttributeError, OSError) as error:
        raise Fault(
            Exit.CRASHED,
            "The benchmark's results cannot be read.",
            f"{type(error).__name__}: {error}",
            "Look at harness.txt in the run's folder.",
        ) from error


def _error(values: dict[str, Any], metric: str) -> float | None:
    name, _, how = metric.partition(",")
    found = values.get(f"{name}_stderr,{how}")
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


def _rows(out: Path, task: str, metric: str, how: str) -> tuple[float, ...]:
    """The metric example by example, in the order of the examples; empty where it is not told so."""
    for path in sorted(out.rglob(f"samples_{task}_*.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        mine = sorted((line for line in lines if line.get("filter", how) == how), key=lambda line: line["doc_id"])
        values = [line.get(metric) for line in mine]
        if values and all(isinstance(value, int | float) for value in values):
            return tuple(float(value) for value in values)
    return ()
