"""Set up PEFT Studio beside this file and run it. Standard library only; Linux, macOS and Windows.

    python3 build/run.py            open the app
    python3 build/run.py demo       fine-tune the starter model on sample data, here and now
    python3 build/run.py test       run every test (with `--with gguf` those in llama.cpp too, built once: 5 minutes)
    python3 build/run.py ...        anything else goes to the `peft-studio` command

The first call makes `.venv` and installs the pinned versions of `build/constraints.txt`; later calls take a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
CONSTRAINTS = ROOT / "build" / "constraints.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's public index of builds without CUDA: a laptop without an NVIDIA GPU never downloads gigabytes of it."""
OLDEST = (3, 11)
TOGETHER = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadgroup")
"""Every test, on as many cores as there are; the browser's in one process."""


def main(words: list[str]) -> int:
    """Set up what the words need, run them, and return their exit code."""
    if sys.version_info < OLDEST:
        return stop(
            f"PEFT Studio needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {platform.python_version()}.",
            "Install a newer Python from python.org and run the command again with it.",
        )
    words, extras = with_extras(words)
    testing = words[:1] == ["test"]
    try:
        set_up(("train", *(["test"] if testing else []), *extras))
    except subprocess.CalledProcessError as error:
        return stop(
            f"Setting up did not finish (exit code {error.returncode}).",
            "Look at the lines above; mostly the network or disk space is missing. Then run the command again.",
        )
    if testing:
        return run("-m", "pytest", *(words[1:] or TOGETHER))
    return run("-m", "studio.cli", *(words or ["app"]))


def with_extras(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without each `--with NAME`, and the names: optional parts of pyproject.toml to install too."""
    left, extras = list(words), []
    while "--with" in left[:-1]:
        place = left.index("--with")
        extras.append(left[place + 1])
        del left[place : place + 2]
    return left, extras


def stop(what: str, remedy: str) -> int:
    """Say what is wrong and what to do."""
    print(f"{what}\n{remedy}", file=sys.stderr)
    return 1


def python() -> Path:
    """The environment's interpreter."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*words: str) -> int:
    """Run the environment's Python and return its exit code; Ctrl-C is the program's own business."""
    process = subprocess.Popen([str(python()), *words], cwd=ROOT if words[1] == "pytest" else None)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def set_up(extras: tuple[str, ...]) -> None:
    """Make the environment and install, unless exactly this was done before. Raises CalledProcessError."""
    mark = ENVIRONMENT / "installed.json"
    wanted = fingerprint()
    done = json.loads(mark.read_text()) if mark.exists() else {}
    if done.get("fingerprint") == wanted and set(extras) <= set(done.get("extras", [])):
        return
    make_environment()
    if done.get("fingerprint") == wanted:
        extras = tuple(sorted({*extras, *done.get("extras", [])}))
    print(f"Installing PEFT Studio and what it needs into {ENVIRONMENT.name} (a few minutes the first time) ...")
    pip("install", "--editable", f"{ROOT}[{','.join(extras)}]", "--constraint", str(CONSTRAINTS), *index())
    mark.write_text(json.dumps({"fingerprint": wanted, "extras": list(extras)}))


def fingerprint() -> str:
    """Changes when what must be installed changes."""
    parts = [(ROOT / "pyproject.toml").read_bytes(), CONSTRAINTS.read_bytes(), platform.python_version().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def make_environment() -> None:
    """A virtual environment with pip. Debian keeps ensurepip in a package of its own, which is then named."""
    if python().exists():
        return
    try:
        venv.EnvBuilder(with_pip=True, clear=ENVIRONMENT.exists()).create(ENVIRONMENT)
    except subprocess.CalledProcessError:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        print("Python's venv module is incomplete; on Debian and Ubuntu: apt install python3-venv", file=sys.stderr)
        raise


def pip(*words: str) -> None:
    """Run the environment's pip, quietly. Raises CalledProcessError."""
    subprocess.run([str(python()), "-m", "pip", "--disable-pip-version-check", "--quiet", *words], check=True, cwd=ROOT)


def index() -> list[str]:
    """PyTorch's CPU index, where there is no NVIDIA GPU and the build that pip would take is not a CPU one."""
    if sys.platform != "linux" or has_nvidia_gpu() or torch_is_cpu_build():
        return []  # PyPI's builds for macOS and Windows carry no CUDA
    return ["--extra-index-url", CPU_INDEX]


def has_nvidia_gpu() -> bool:
    """Does the driver list a GPU?"""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listing = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listing.returncode == 0 and "GPU" in listing.stdout


def torch_is_cpu_build() -> bool:
    """Would pip take a CPU build of torch, or has it one already? Asked without installing anything."""
    words = [str(python()), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--dry-run", "--no-deps"]
    words += ["--report", "-", "torch", "--constraint", str(CONSTRAINTS)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        chosen = json.loads(answer.stdout)["install"]
    except (ValueError, KeyError):
        return False
    return all("+cpu" in each["metadata"]["version"] for each in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
