"""Exports of a Home: what is offered and why not, a real worker from the command line, and what is refused first."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.errors import DataError, StudioError
from engine.core.home import Home
from engine.engine import Engine
from engine.plan.models import read_base_model, starter_path
from engine.results import export_offers
from engine.results.evaluation import Asked, evaluate
from engine.results.export_card import About, card_of
from engine.results.export_offers import Exportable, Offer, offers
from engine.results.export_prompts import prompts_for
from engine.results.exports import ExportFolders
from engine.results.versions import Version, Versions
from engine.spec.answers import BASE, Answer
from engine.spec.exports import CHECKSUMS, Form
from engine.spec.files import LineWriter, write_struct
from engine.spec.methods import Full, Method
from engine.spec.runspec import TrainJob
from tests.exports.jobs import random_adapter
from tests.making import LORA, METHODS, run_folder, train_spec

pytestmark = pytest.mark.anyio
CLI = [sys.executable, "-P", "-m", "studio.cli"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def starter_adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_adapter(starter_path(), tmp_path_factory.mktemp("starter-adapter"))


def with_version(home: Home, base: Path, adapter: Path, method: Method = LORA, name: str = "support") -> Version:
    """A version as a completed run leaves it."""
    model = read_base_model(base)
    spec = train_spec(base, home.prepared / "gone", method)
    assert isinstance(spec.job, TrainJob)
    job = msgspec.structs.replace(spec.job, model=model.ref)
    spec = msgspec.structs.replace(spec, id="run-1", name=name, job=job)
    folder = run_folder(home.runs / "run-1", spec)
    shutil.copytree(adapter, folder.adapter)
    version = Versions(home.versions).add(folder, {}, 10)
    assert version
    return version


def exportable(method: Method = LORA) -> Exportable:
    model = read_base_model(starter_path())
    prompting = prompts_for(starter_path(), Path("gone"), "How?", model.context).prompting
    return Exportable(method=method, model=model, prompting=prompting, adapter_bytes=1000)


def why_not(found: tuple[Offer, ...], form: Form, quant: str = "none") -> str:
    return next(each.why_not for each in found if (each.form, each.quant) == (form, quant))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Libraries that this machine seems to have; a test may take some away."""
    have = {"gguf", "llama_cpp", "onnx", "onnxscript", "onnxruntime"}
    monkeypatch.setattr(export_offers, "find_spec", lambda name: util.find_spec("json") if name in have else None)
    monkeypatch.setattr(export_offers.shutil, "which", lambda name: None)
    return have


def test_everything_is_offered_where_everything_is_there(installed: set[str]) -> None:
    found = offers(exportable())
    assert len(found) == 9 + 4 * 3
    assert all(each.offered for each in found)
    sizes = {each.quant: each.bytes for each in found if each.form == "gguf"}
    assert sizes["q8_0"] < sizes["f16"]


@pytest.mark.parametrize(
    ("gone", "form", "quant", "why"),
    [
        ("llama_cpp", "gguf", "q4_k_m", "peft-studio[gguf]"),
        ("llama_cpp", "ollama", "q5_k_m", "llama-quantize"),
        ("gguf", "lmstudio", "f16", "gguf library"),
        ("onnxruntime", "onnx", "none", "onnxruntime"),
    ],
)
def test_what_is_not_offered_says_what_it_needs(
    installed: set[str], gone: str, form: Form, quant: str, why: str
) -> None:
    installed.remove(gone)
    found = offers(exportable())
    assert why in why_not(found, form, quant)
    assert not why_not(found, "merged")
    if gone == "llama_cpp":
        assert not why_not(found, "gguf", "q8_0")


def test_a_quantizer_on_the_path_is_enough_for_four_bits(installed: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    installed.remove("llama_cpp")
    monkeypatch.setattr(export_offers.shutil, "which", lambda name: "/bin/x" if name == "llama-quantize" else None)
    assert not why_not(offers(exportable()), "gguf", "q4_k_m")


def test_what_a_method_cannot_be_is_said(installed: set[str]) -> None:
    prefix = offers(exportable(METHODS["prefix"]))
    assert {each.form for each in prefix if each.offered} == {"adapter", "hf", "package"}
    assert "cannot be merged" in why_not(prefix, "gguf", "q8_0")
    whole = offers(exportable(Full()))
    assert {each.form for each in whole if not each.offered} == {"adapter", "ollama-adapter"}
    assert "magnitude" in why_not(offers(exportable(METHODS["dora"])), "ollama-adapter", "q8_0")
    assert "positions" in why_not(prefix, "ollama-adapter", "q8_0")


def test_a_template_that_ollama_cannot_say_is_not_offered_there(installed: set[str]) -> None:
    odd = exportable()
    odd = msgspec.structs.replace(odd, prompting=msgspec.structs.replace(odd.prompting, pieces=None))
    found = offers(odd)
    assert "Ollama" in why_not(found, "ollama", "f16") and not why_not(found, "gguf", "f16")


def call(home: Path, *words: str) -> tuple[int, Any, str]:
    line = [*CLI, *words, "--home", str(home), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.worker
def test_the_command_line_exports_the_starter_model_and_lists_it(tmp_path: Path, starter_adapter: Path) -> None:
    home = Home.open(tmp_path / "home")
    version = with_version(home, starter_path(), starter_adapter, name="../../sup port")
    code, found, _ = call(home.path, "export", version.id)
    assert code == 0 and {each["form"] for each in found} >= {"adapter", "gguf", "onnx"}
    into = tmp_path / "mine"
    code, made, errors = call(home.path, "export", "last", "--to", "gguf", "--quant", "q8_0", "--into", str(into))
    assert code == 0, (made, errors)
    assert made["proven"] and made["certificate"]["passed"] and made["error"] is None
    assert {path.name for path in into.iterdir()} == {
        "sup-port-v1.0.0-q8_0.gguf",
        "certificate.json",
        CHECKSUMS,
    }
    listed = call(home.path, "exports")[1]
    assert [(each["export"]["form"], each["state"]) for each in listed] == [("gguf", "completed")]
    code, refused, _ = call(home.path, "export", "last", "--to", "merged", "--into", str(into))
    assert code == 1 and "not empty" in refused["error"]["what"]
    code, refused, _ = call(home.path, "export", "last", "--to", "zip")
    assert code == 1 and "adapter, merged" in refused["error"]["why"]


@pytest.mark.parametrize("harm", ["tampered", "base gone", "base changed", "gone", "archived"])
async def test_a_version_that_is_not_what_it_was_is_refused_with_actions(
    tmp_path: Path, tiny: Path, tiny_adapter: Path, harm: str
) -> None:
    home = Home.open(tmp_path / "home")
    base = tmp_path / "base"
    shutil.copytree(tiny, base)
    version = with_version(home, base, tiny_adapter)
    weights = home.versions / version.id / "adapter" / "adapter_model.safetensors"
    if harm == "tampered":
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.unlink()
        weights.write_bytes(data)
    elif harm == "base gone":
        shutil.rmtree(base)
    elif harm == "base changed":
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        (base / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.1}), encoding="utf-8")
    elif harm == "gone":
        shutil.rmtree(weights.parent)
    else:
        shutil.rmtree(weights.parent)
        (weights.parents[1] / "adapter.zip").write_bytes(b"")
    async with Engine.open(home.path) as engine:
        with pytest.raises(StudioError) as caught:
            await engine.exports.start(version.id, "merged")
        assert len(caught.value.card.actions) >= 1
        assert engine.exports.list.value == ()


async def test_a_form_that_cannot_be_had_is_refused_with_the_reason(
    tmp_path: Path, tiny: Path, tiny_adapter: Path
) -> None:
    home = Home.open(tmp_path / "home")
    version = with_version(home, tiny, tiny_adapter, METHODS["prefix"])
    async with Engine.open(home.path) as engine:
        with pytest.raises(DataError, match="cannot be exported as gguf") as caught:
            await engine.exports.start(version.id, "gguf")
        assert "cannot be merged" in caught.value.card.why
        assert len(caught.value.card.actions) >= 2


def test_a_card_says_what_was_measured_and_what_was_not(tmp_path: Path, tiny: Path, tiny_adapter: Path) -> None:
    home = Home.open(tmp_path / "home")
    version = with_version(home, tiny, tiny_adapter)
    job = Versions(home.versions).job(version)
    about = About(version=version, job=job, evaluation=None, form="hf", quant="none", name="x", rows=40)
    card = card_of(about)
    assert card.startswith('---\nbase_model: "tiny')
    for part in ("## Usage", "## Data", "## Training", "## Measurements", "## Limits", "Learning rate | 0.001"):
        assert part in card
    assert "Not evaluated" in card and "40 rows" in card
    assert str(tmp_path) not in card


def test_a_card_shows_the_measurements_with_their_intervals(tmp_path: Path, tiny: Path, tiny_adapter: Path) -> None:
    version = with_version(Home.open(tmp_path / "home"), tiny, tiny_adapter)
    lines = LineWriter(tmp_path / "results.jsonl")
    for row in range(30):
        for model, text in ((BASE, "soon"), (version.id, "four days" if row < 25 else "later")):
            lines.write(
                Answer(
                    row=row,
                    model=model,
                    prompt="When?",
                    reference="four days",
                    text=text,
                    tokens=2,
                    complete=True,
                    nll=2.0,
                    trained_tokens=2,
                )
            )
    lines.close()
    asked = Asked(results=tmp_path / "results.jsonl", run="r", version=version.id, dataset=tmp_path / "gone")
    about = About(
        version=version,
        job=Versions(tmp_path / "home" / "versions").job(version),
        evaluation=evaluate(asked),
        form="gguf",
        quant="q4_k_m",
        name="x",
        rows=None,
    )
    card = card_of(about)
    assert "| exact match (share) | 0.000 (0.000 to 0.114) | 0.833 (" in card
    assert "on 30 held-out examples" in card and "In brackets: 95 % intervals, where the rows allow one." in card
    assert "rest on few rows" in card and "rounded to q4_k_m" in card


def test_a_record_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    (home.exports / "torn").mkdir(parents=True)
    (home.exports / "torn" / "export.json").write_text("{", encoding="utf-8")
    assert ExportFolders(home).all() == ()
    with pytest.raises(DataError, match="no export"):
        ExportFolders(home).find("torn")
    write_struct(home.exports / "torn" / "export.json", {})
    assert ExportFolders(home).all() == ()
