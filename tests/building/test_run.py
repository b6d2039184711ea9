"""build/run.py: what it installs, from where, and that it does so once."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "build"))
import run  # noqa: E402


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An environment folder of the test's own, and what pip is asked for."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / "environment")
    monkeypatch.setattr(run, "make_environment", lambda: run.ENVIRONMENT.mkdir(exist_ok=True))
    monkeypatch.setattr(run, "pip", lambda *words: asked.append(words))
    monkeypatch.setattr(run, "torch_is_cpu_build", lambda: True)
    return asked


def test_the_second_call_installs_nothing(calls: list[tuple[str, ...]]) -> None:
    run.set_up(("train",))
    run.set_up(("train",))
    assert len(calls) == 1


def test_tests_need_more_and_keep_what_is_there(calls: list[tuple[str, ...]]) -> None:
    run.set_up(("train",))
    run.set_up(("train", "test"))
    run.set_up(("train",))
    assert [words[2].rpartition("[")[2] for words in calls] == ["train]", "test,train]"]


@pytest.mark.parametrize(
    ("words", "left", "extras"),
    [
        (["test", "--with", "gguf"], ["test"], ["gguf"]),
        (["test", "-x", "--with", "gguf", "--with", "onnx", "-q"], ["test", "-x", "-q"], ["gguf", "onnx"]),
        (["runs", "--with"], ["runs", "--with"], []),
        ([], [], []),
    ],
)
def test_optional_parts_are_taken_out_of_the_words(words: list[str], left: list[str], extras: list[str]) -> None:
    assert run.with_extras(words) == (left, extras)


def test_another_pin_installs_again(calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    run.set_up(("train",))
    monkeypatch.setattr(run, "fingerprint", lambda: "other")
    run.set_up(("train",))
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("platform", "gpu", "cpu_build", "named"),
    [
        ("linux", False, False, True),
        ("linux", False, True, False),
        ("linux", True, False, False),
        ("darwin", False, False, False),
        ("win32", False, False, False),
    ],
    ids=["a laptop", "a CPU build at hand", "an NVIDIA GPU", "a Mac", "Windows"],
)
def test_the_cpu_index_is_named_only_where_cuda_would_come_for_nothing(
    monkeypatch: pytest.MonkeyPatch, platform: str, gpu: bool, cpu_build: bool, named: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(run, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(run, "torch_is_cpu_build", lambda: cpu_build)
    assert (run.CPU_INDEX in run.index()) is named


def test_a_failed_installation_says_what_to_do(
    calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_words: str) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(run, "pip", fails)
    assert run.main(["demo"]) == 1
    assert "run the command again" in capsys.readouterr().err


def test_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9))
    assert run.main(["demo"]) == 1
    assert "3.11 or newer" in capsys.readouterr().err


def test_run_py_needs_the_standard_library_alone() -> None:
    tree = ast.parse((ROOT / "build" / "run.py").read_text(encoding="utf-8"))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= set(sys.stdlib_module_names)


def test_an_installed_wheel_finds_its_assets_from_any_folder(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(ROOT)]
    subprocess.run([*words, "--wheel-dir", str(tmp_path)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    shipped = [file for file in (tmp_path / "site").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in shipped) < 50_000_000
    fonts = {file.relative_to(ROOT) for file in (ROOT / "assets" / "fonts").rglob("*") if file.is_file()}
    assert fonts <= {file.relative_to(tmp_path / "site") for file in shipped}
    program = "from engine.plan.models import starter_path, read_base_model as r; print(r(starter_path()).path)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().startswith(str(tmp_path / "site"))
