"""The faces bring nothing heavy when they come in; how long they take is measured by build/bench/run.py startup."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys
import studio.web, studio.desktop, studio.app
print(json.dumps(sorted(sys.modules)))
"""
FIRST = """
import asyncio, sys
from pathlib import Path
from engine.spec.records import RunState
from studio.app import open_page, warm
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

async def first(engine):
    client = Client("/", 1440)
    open_page(client.page, engine)
    await client.settle()
    return set(sys.modules)

warm()
engine, before = FakeEngine(Path(sys.argv[1])), set(sys.modules)
empty = asyncio.run(first(engine))
engine.runs.make("One", RunState.RUNNING, steps=4, total=10)
engine.runs.make("Another", RunState.COMPLETED, steps=4, total=4)
engine.runs.make("A failed one", RunState.FAILED, steps=4, total=9)
used = asyncio.run(first(engine))
print([each for each in sorted((empty | used) - before) if each.startswith(("flet", "studio"))])
"""
HEAVY = {
    "polars",
    "httpx",
    "numpy",
    "torch",
    "transformers",
    "uvicorn",
    "fastapi",
    "flet_web",
    "flet_desktop",
    "duckdb",
}


def test_importing_the_faces_loads_nothing_heavy():
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(json.loads(found))


def test_what_the_first_page_is_made_of_is_there_before_somebody_asks_for_it(tmp_path):
    words = [sys.executable, "-c", FIRST, str(tmp_path)]
    found = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert found == "[]\n"
