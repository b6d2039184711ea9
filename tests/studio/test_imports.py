"""The faces bring nothing heavy when they come in; how long they take is measured by build/bench/run.py startup."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import studio.web, studio.desktop, studio.app
print(json.dumps(sorted(sys.modules)))
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
