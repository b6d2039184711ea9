"""The faces come in quickly and bring nothing heavy."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys, time
start = time.perf_counter()
import studio.web, studio.desktop, studio.app
print(json.dumps({"seconds": time.perf_counter() - start, "loaded": sorted(sys.modules)}))
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


def test_importing_the_faces_loads_nothing_heavy_and_takes_little_time():
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert not HEAVY & set(runs[0]["loaded"])
    assert min(run["seconds"] for run in runs) < 0.8  # 0.4 s on an idle machine; tests share theirs
