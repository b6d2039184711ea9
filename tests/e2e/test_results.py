"""Results in a real browser, with real workers: two versions are asked the same, compared, and exported with proof."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.home import Home
from engine.data.library import import_file
from engine.plan.models import read_base_model, starter_path
from engine.results.versions import Version, Versions
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import RunState, StateRecord
from engine.spec.runspec import TrainJob
from tests.e2e.conftest import Served, fill, visit, wait_until_said
from tests.exports.jobs import random_adapter
from tests.making import train_spec
from tests.results.judge_endpoint import completion, endpoints, fair

pytestmark = [pytest.mark.browser, pytest.mark.worker]
Press = Callable[[Any, str], None]


@pytest.fixture(scope="module")
def versions(served: Served, tmp_path_factory: pytest.TempPathFactory) -> list[Version]:
    """Two versions of the starter with adapters of random weights, on data with held-out rows."""
    home = Home.open(served.home)
    rows = [f"Is there plum {n}?,Yes there is plum {n} in the shop." for n in range(40)]
    source = tmp_path_factory.mktemp("rows") / "plums for results.csv"
    source.write_text("\n".join(["question,answer", *rows]), encoding="utf-8")
    data = import_file(home.datasets, source, name="plums for results")
    base = read_base_model(starter_path())
    made = []
    for number, strength in enumerate((0.005, 0.02)):
        spec = train_spec(starter_path(), Path("prepared"))
        job = spec.job
        assert isinstance(job, TrainJob)
        ref = msgspec.structs.replace(job.data, dataset=data.id, hash=data.hash, name=data.name)
        job = msgspec.structs.replace(job, model=base.ref, data=ref)
        spec = msgspec.structs.replace(spec, id=f"results-{number}", name="results", job=job)
        folder = RunFolder(home.runs / spec.id)
        random_adapter(starter_path(), folder.adapter, strength)
        write_struct(folder.spec_file, spec)
        folder.write_state(StateRecord(state=RunState.COMPLETED, step=10, total_steps=10))
        version = Versions(home.versions).add(folder, {"loss": 1.0}, 10)
        assert version is not None
        made.append(version)
    return made


def test_versions_are_asked_compared_and_exported(
    page: Any, press: Press, served: Served, versions: list[Version]
) -> None:
    first, second = versions
    visit(page, f"/compare?ids={first.id},{second.id}")
    wait_until_said(page, "Which is better cannot be said")
    press(page, "Ask all of them the same rows")
    wait_until_said(page, r"best alone on \d+", times=2, seconds=120)
    wait_until_said(page, "loss on the reference")
    wait_until_said(page, "Examples, most different first")

    visit(page, f"/versions/{second.id}")
    wait_until_said(page, r"\d+ held-out example")
    wait_until_said(page, "Judge: not measured")
    press(page, "Exports")
    wait_until_said(page, "Export it as", seconds=60)
    for count, form in enumerate(("adapter", "merged", "gguf", "package"), start=1):
        press(page, f"Export as {form}")
        wait_until_said(page, "answers as trained", times=count, seconds=120)
        wait_until_proven(served, second, form)
    press(page, "Show the certificate")
    wait_until_said(page, r"\d+ prompts?, read by")
    visit(page, "/exports")
    wait_until_said(page, "results v1.1.0, (adapter|merged|gguf|package)", times=4)


def test_a_version_is_packed_into_a_capsule_that_proves_to_be_whole(
    page: Any, press: Press, served: Served, versions: list[Version]
) -> None:
    visit(page, f"/versions/{versions[0].id}")
    press(page, "About it")
    press(page, "Save as a capsule")
    wait_until_said(page, "The capsule is saved", seconds=60)
    (packed,) = served.home.rglob("*.capsule.zip")
    visit(page, "/capsule")
    fill(page, "Path of a capsule", str(packed))
    press(page, "Look through it")
    wait_until_said(page, "Every part is there, whole", seconds=30)
    wait_until_said(page, "Run it again")
    packed.write_bytes(packed.read_bytes()[:-200])
    press(page, "Look through it")
    wait_until_said(page, "Get help", seconds=30)


def test_a_check_and_a_judge_are_chosen_where_the_evaluation_is_started(
    page: Any, press: Press, served: Served, versions: list[Version]
) -> None:
    with endpoints() as serve:
        judge = serve(lambda asked, _: completion(fair(asked)))
        page.set_viewport_size({"width": 1440, "height": 1600})  # all of the form is seen, and so can be found
        visit(page, f"/versions/{versions[0].id}")
        press(page, "More options")
        fill(page, "At most", "4")
        fill(page, "Name of the check", "short")
        press(page, "Add the check")
        wait_until_said(page, "short: 2 lines")
        page.get_by_role("switch").first.click()
        press(page, "An endpoint")
        fill(page, "Address", judge.url)
        fill(page, "Model at this address", "judge-1")
        fill(page, "Key, if it wants one", "sk-of-the-browser-test")
        page.get_by_role("button", name=re.compile("^Evaluate$")).first.click()
        wait_until_said(page, "judge-1 at .* It rated 4 of", seconds=120)
        wait_until_said(page, "no answer of this version has a thumb")
        wait_until_said(page, "short")
        assert judge.keys == {"Bearer sk-of-the-browser-test"}
    kept = [path for path in served.home.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"sk-of-the-browser-test" in path.read_bytes()]


def wait_until_proven(served: Served, version: Version, form: str, seconds: float = 30) -> None:
    """The certificate on the disk says what the screen does."""
    from engine.results.exports import ExportFolders

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in ExportFolders(Home.open(served.home)).all():
            if (each.export.version, each.export.form) == (version.id, form) and each.proven:
                return
        time.sleep(0.2)
    raise AssertionError(f"{form} is not proven")


def test_the_model_page_says_what_training_takes(page: Any, press: Press, served: Served) -> None:
    visit(page, "/models")
    press(page, "What training takes here")
    wait_until_said(page, re.escape("QLoRA"))
