"""How fast data is read and judged: 10,000 chat rows, a million (`--large`, 1 GB), and 5.5 GB of them (`--huge`).

A million takes several minutes with making it, 5.5 GB a quarter of an hour and 15 GB of disk.

In-process times; the app adds one spawned process (measured too). `datasets.load_dataset`, which only reads, is the
yardstick for the import, which reads, checks, splits, judges and writes. Speeds of the parts that numpy does depend on
nothing but the machine; run it on a quiet one.
"""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import anyio

from bench.report import Measure, report
from engine.data import service
from engine.data.inspect import inspect_file
from engine.data.lengths import token_lengths
from engine.data.library import import_file
from engine.data.nouns import Limits

STARTER = Path(__file__).parents[2] / "assets" / "starter"
UNLIMITED = Limits(warn_bytes=10**11, refuse_bytes=10**11)
SMALL, LARGE, HUGE = 10_000, 1_000_000, 5_200_000
WORDS = re.findall(
    r"\w+",
    "the and of to is you that it he was for on are as with his they at be this have from or one had by word "
    "but not what all were we when your can said there use an each which she do how their if will up other "
    "about out many then them these so some her would make like him into time has look two more write go see "
    "number no way could people my than first water been call who oil its now find long down day did get come "
    "made may part over new sound take only little work know place year live me back give most very after "
    "thing our just name good sentence man think say great where help through much before line right too mean "
    "old any same tell boy follow came want show also around",
)


def make_chats(file: Path, rows: int, seed: int = 1) -> Path:
    """JSON lines of conversations, four turns and about a kilobyte each; one in a hundred repeats, or nearly so."""
    dice = random.Random(seed)
    names = [f"{a}{b}" for a in WORDS[40:140] for b in WORDS[40:90]]
    said = [" ".join(dice.choice(WORDS if dice.random() < 0.6 else names) for _ in range(14)) for _ in range(30_000)]
    last = ""
    with file.open("w", encoding="utf-8") as target:
        for number in range(rows):
            if number % 100 == 99:
                target.write(last.replace("?", " now?", 1) if number % 200 == 199 else last)
                continue
            turns = []
            for _ in range(2):
                turns.append({"role": "user", "content": f"{dice.choice(said)} {dice.choice(names)}?"})
                turns.append({"role": "assistant", "content": ". ".join(dice.choices(said, k=4))})
            last = json.dumps({"messages": turns}) + "\n"
            target.write(last)
    return file


def small(folder: Path) -> list[Measure]:
    """10,000 rows: the report, the tokens of a sample and of all rows, and what a spawned process adds."""
    file = make_chats(folder / "small.jsonl", SMALL)
    inspect_file(file)  # imports numpy, reads the word lists
    start = time.perf_counter()
    inspect_file(file)
    looked = time.perf_counter() - start
    dataset = import_file(folder / "datasets", file)
    place = folder / "datasets" / dataset.id
    sampled, every = (_timed(partial(token_lengths, place, STARTER, every=each)) for each in (False, True))
    spawned = _timed(lambda: anyio.run(service.inspect_file, file))
    return [
        Measure("10,000 chat rows: full report", looked, "s", 1.0),
        Measure("10,000 chat rows: tokens of a sample of 2,000", sampled, "s"),
        Measure("10,000 chat rows: tokens of every row", every, "s", 5.0),
        Measure("10,000 chat rows: report in a new process, start included", spawned, "s"),
    ]


def _timed(work: partial[object] | object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


def large(folder: Path) -> list[Measure]:
    """A million rows, each part in a process of its own, so that its memory can be told."""
    file = make_chats(folder / "large.jsonl", LARGE)
    seconds, memory, near = _alone("import", file, folder)
    measures = [
        Measure("1,000,000 rows: file size", file.stat().st_size / 1e6, "MB"),
        Measure("1,000,000 rows: import and report", seconds, "s", 90.0),
        Measure("1,000,000 rows: most memory held", memory, "MB", 1000.0),
        Measure("1,000,000 rows: near repeats found (5,000 made)", near, "rows", 4_900, most=False),
    ]
    seconds, memory, _ = _alone("yardstick", file, folder)
    return [
        *measures,
        Measure("datasets.load_dataset, reading alone", seconds, "s"),
        Measure("datasets.load_dataset, most memory held", memory, "MB"),
    ]


def huge(folder: Path) -> list[Measure]:
    """Over five gigabytes: what counts is the memory, all else grows with the file."""
    file = make_chats(folder / "huge.jsonl", HUGE)
    seconds, memory, _ = _alone("import", file, folder)
    return [
        Measure("5,200,000 rows: file size", file.stat().st_size / 1e6, "MB", 5_000.0, most=False),
        Measure("5,200,000 rows: import and report", seconds, "s"),
        Measure("5,200,000 rows: most memory held", memory, "MB", 1_000.0),
    ]


def _alone(what: str, file: Path, folder: Path) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "bench.data", what, str(file), str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    seconds, memory, count = map(float, said.split())
    return seconds, memory, count


def _import(file: Path, folder: Path) -> int:
    dataset = import_file(folder / "datasets", file, limits=UNLIMITED)
    return next((each.rows for each in dataset.findings if each.id == "near_duplicates"), 0)


def _yardstick(file: Path, folder: Path) -> int:
    from datasets import load_dataset

    return len(load_dataset("json", data_files=str(file), split="train", cache_dir=str(folder / "cache")))


def _measured(what: str, file: Path, folder: Path) -> None:
    """Do it, and print seconds, the most megabytes held, and a count."""
    start = time.perf_counter()
    count = (_import if what == "import" else _yardstick)(file, folder)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    held = max(resource.getrusage(each).ru_maxrss for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(seconds, held * unit / 1e6, count)


def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-data-") as name:
        folder = Path(name)
        measures = small(folder)
        measures += large(folder) if "--large" in words else []
        measures += huge(folder) if "--huge" in words else []
        return report("data", measures)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("import", "yardstick"):
        _measured(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
