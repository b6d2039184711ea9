"""`peft-studio plan` without a dataset: a bare config.json, a device that is not here, other trainers' ways."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from studio.cli import app
from studio.terminal.plans import bytes_of

MODEL = Path(__file__).parents[1] / "plan" / "published" / "Llama-3.1-8B" / "config.json"
COMMON = ("--model", str(MODEL), "--set", "batch_size=1", "--set", "max_length=4096", "--memory", "24GB")


def run(tmp_path: Path, *words: str) -> tuple[int, str, str]:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = app.main(["plan", *words, "--home", str(tmp_path / "home")], standalone_mode=False)
    return code or 0, out.getvalue(), err.getvalue()


def planned(tmp_path: Path, *words: str) -> dict:
    code, out, err = run(tmp_path, *words, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def test_a_bare_config_is_planned_for_a_device_that_is_not_here(tmp_path: Path) -> None:
    found = planned(tmp_path, *COMMON, "--method", "qlora")
    memory = found["estimate"]["memory"]
    peak = memory["peak_bytes"]
    assert peak["low"] < peak["expected"] < peak["high"] < 24e9
    names = [each["name"] for each in memory["components"]]
    assert names == ["weights", "adapter", "gradients", "optimizer", "activations", "loss", "runtime"]
    assert sum(each["amount"] for each in memory["components"]) == pytest.approx(peak["expected"], abs=1)
    assert (found["training"]["batch_size"], found["training"]["max_length"]) == (1, 4096)
    assert found["estimate"]["limits"]["max_length"] >= 4096 and memory["budget_bytes"] == 21_600_000_000
    assert any("No data was named" in each["what"] for each in found["findings"])


def test_the_folder_will_do_as_well_as_the_file(tmp_path: Path) -> None:
    words = ("--model", str(MODEL.parent), *COMMON[2:], "--method", "lora")
    assert planned(tmp_path, *words) == planned(tmp_path, *COMMON, "--method", "lora")


def test_other_trainers_losses_can_be_asked_for_in_two_ways(tmp_path: Path) -> None:
    def peak(*words: str) -> float:
        return planned(tmp_path, *COMMON, "--method", "qlora", *words)["estimate"]["memory"]["peak_bytes"]["expected"]

    assert peak() < peak("--loss", "eager") == peak("--set", "loss=eager")


def test_a_device_can_be_named(tmp_path: Path) -> None:
    found = planned(tmp_path, "--model", str(MODEL), "--method", "lora", "--device", "h100")
    assert found["estimate"]["device"] == "NVIDIA H100 80GB" and found["estimate"]["confidence"] == "medium"


def test_people_see_memory_energy_and_what_to_do_instead(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, *COMMON, "--method", "lora")
    assert code == 0
    for words in ("Model weights", "electricity", "would fit", "instead", "faster:", "smaller:"):
        assert words in out


REFUSED = {
    "memory without sense": (("--memory", "much"), "amount of memory"),
    "an unknown device": (("--device", "RTX 9999"), "no device"),
    "an unknown loss": (("--loss", "magic"), "no loss path"),
    "an unknown method": (("--method", "lorra"), "no method"),
    "a setting out of limits": (("--set", "rank=0"), "rank"),
    "no model": (("--model", "nowhere"), "not a model folder"),
    "a length that is no number": (("--set", "max_length=long"), "max_length"),
    "a dataset elsewhere": (("mine", "--memory", "24GB"), "planned for this machine"),
    "an impossible combination": (("--method", "pissa", "--set", "quantization=nf4"), "PiSSA"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_planned_is_refused_with_actions(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    code, out, _ = run(tmp_path, *words, "--json")
    card = json.loads(out.splitlines()[-1])["error"]
    assert code == 1 and said in card["what"] and card["actions"]


AMOUNTS = {"24GB": 24e9, "24 gb": 24e9, "24": 24e9, "80GiB": 80 * 2**30, "512MB": 512e6, "1.5TB": 1.5e12}


@pytest.mark.parametrize(("words", "amount"), AMOUNTS.items(), ids=AMOUNTS)
def test_amounts_of_memory_are_read_as_people_write_them(words: str, amount: float) -> None:
    assert bytes_of(words) == amount
