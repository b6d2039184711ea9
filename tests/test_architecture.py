"""The arrows between packages, and what a start may not load."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import connectors
import engine
import studio

ROOT = Path(engine.__file__).parents[1]
HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "numpy", "pandas", "polars", "httpx", "scipy")


def test_the_contracts_between_the_packages_hold() -> None:
    check = "from importlinter.cli import lint_imports_command as check; check()"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def faces_and_connectors() -> list[str]:
    """Every module of the faces, the connectors, and the engine but for the worker and programs."""
    names = ["engine.engine", "engine.keeper"]
    for package in (studio, connectors):
        names += [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return names


def test_a_start_of_every_face_and_connector_loads_no_heavy_library() -> None:
    program = f"import sys, importlib\nfor name in {faces_and_connectors()!r}: importlib.import_module(name)\n"
    program += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["engine", "studio", "connectors"])
def test_no_module_swallows_an_exception_or_says_later(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            bare = isinstance(node, ast.ExceptHandler) and node.type is None
            silent = isinstance(node, ast.ExceptHandler) and all(isinstance(each, ast.Pass) for each in node.body)
            assert not bare and not silent, f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert "TO" + "DO" not in text and "FIX" + "ME" not in text, path.name


def test_pages_use_the_guarded_pieces_of_the_kit() -> None:
    """A raw component freezes the window when it fails; a raw handler covers the app (Flet 1.0)."""
    for path in (ROOT / "studio" / "pages").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "@ft.component" not in text, path.name


def test_every_module_says_what_it_is() -> None:
    for package in ("engine", "studio", "connectors", "assets", "build"):
        for path in (ROOT / package).rglob("*.py"):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
