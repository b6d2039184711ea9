"""Exports: versions of an open Home in other forms, each proven to answer like the trained model."""

from __future__ import annotations

import re
import time
from pathlib import Path

import anyio.to_thread
import msgspec
import psutil

from engine.core.errors import DataError, PlanError, RunError
from engine.core.home import Home
from engine.core.topics import Topic
from engine.outcomes import Outcomes
from engine.plan.models import BaseModel, read_base_model
from engine.plan.profiles import example_of
from engine.planning import Planning
from engine.results.care import checked_base
from engine.results.export_card import About, card_of
from engine.results.export_offers import Exportable, Offer, offers
from engine.results.export_prompts import prompts_for
from engine.results.exports import Export, Exported, ExportFolders, refuse_place, refuse_small_disk, safe_name
from engine.results.versions import Version
from engine.runs.runs import Runs
from engine.runs.views import RunView
from engine.spec.exports import WITH_GGUF, Form, Probe, Quant
from engine.spec.prepared import read_header
from engine.spec.records import RunState
from engine.spec.runspec import AdapterRef, ExportJob

ANSWER_TOKENS = 24
PUBLISHER = "peft-studio"
FULL_PRECISION_SHARE = 0.4
"""Of free memory: what a model in fp32 may take for the comparison; above it, sums are done in bf16."""
USUAL_QUANT: Quant = "q8_0"


class _Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A version found fit to export, with everything a job is made of."""

    version: Version
    adapter: Path
    exportable: Exportable
    probes: tuple[Probe, ...]


class Exports:
    """Offers forms and starts exports; `list` is the newest list, the newest export first."""

    def __init__(self, home: Home, runs: Runs, planning: Planning, outcomes: Outcomes) -> None:
        self._home = home
        self._runs = runs
        self._planning = planning
        self._outcomes = outcomes
        self.folders = ExportFolders(home)
        self.list: Topic[tuple[Exported, ...]] = Topic(self.folders.all())

    async def offers(self, words: str) -> tuple[Offer, ...]:
        """Every form of a version with its size, and for what cannot be had the reason. Raises StudioError."""
        prepared = await anyio.to_thread.run_sync(self._prepared, self._outcomes.folder.find(words))
        return await anyio.to_thread.run_sync(offers, prepared.exportable)

    async def start(self, words: str, form: Form, quant: Quant | None = None, into: Path | None = None) -> str:
        """Queue an export and return its run's id; without `quant` GGUF forms take q8_0.

        Raises StudioError when the form cannot be had, or the folder cannot be used.
        """
        version = self._outcomes.folder.find(words)
        chosen = quant_for(form, quant)
        prepared = await anyio.to_thread.run_sync(self._prepared, version)
        offer = await anyio.to_thread.run_sync(_offer_of, prepared.exportable, form, chosen)
        if not offer.offered:
            raise _not_offered(version, offer)
        job = self._job(prepared, form, chosen)
        spec = self._planning.spec(f"export {version.title} as {form}", job)
        target = into.resolve() if into else self.folders.own(spec.id)
        refuse_place(target, self._home, Path(version.model_path))
        refuse_small_disk(target, offer.bytes)
        job = msgspec.structs.replace(job, target=str(target))
        run = self._runs.add(msgspec.structs.replace(spec, job=job))
        self.folders.keep(
            Export(
                id=run,
                version=version.id,
                title=version.title,
                form=form,
                quant=chosen,
                folder=str(target),
                made=time.time(),
            )
        )
        self._publish()
        return run

    async def delete(self, words: str) -> Exported:
        """Forget an export that has ended, with the files that the Home keeps of it. Raises StudioError."""
        found = self.folders.find(words)
        if found.state.active or found.state is RunState.CREATED:
            raise RunError("The export is still being made.", "Its run is at work.", "Stop it first.")
        await anyio.to_thread.run_sync(self.folders.delete, found.export)
        self._publish()
        return found

    async def after_run(self, view: RunView) -> None:
        """The list follows the end of an export."""
        if view.kind == "export":
            await anyio.to_thread.run_sync(self._publish)

    def _publish(self) -> None:
        self.list.set(self.folders.all())

    def _prepared(self, version: Version) -> _Prepared:
        """Look at the version's files, its base and its prompts. Raises StudioError."""
        checked_base(version)
        model = read_base_model(Path(version.model_path))
        adapter = self._outcomes.folder.adapter(version)
        dataset = self._home.datasets / version.dataset_id
        prompts = prompts_for(Path(version.model_path), dataset, example_of(version.profile), model.context)
        size = sum(path.stat().st_size for path in adapter.rglob("*") if path.is_file())
        method = self._outcomes.folder.job(version).method
        exportable = Exportable(method=method, model=model, prompting=prompts.prompting, adapter_bytes=size)
        return _Prepared(version=version, adapter=adapter, exportable=exportable, probes=prompts.probes)

    def _job(self, prepared: _Prepared, form: Form, quant: Quant) -> ExportJob:
        """Everything but the folder, which may be named after the run."""
        version, model = prepared.version, prepared.exportable.model
        name = safe_name(f"{version.name}-{version.number}")
        about = About(
            version=version,
            job=self._outcomes.folder.job(version),
            evaluation=self._outcomes.folder.evaluation(version),
            form=form,
            quant=quant,
            name=name,
            rows=_trained_rows(version),
        )
        return ExportJob(
            model=model.ref,
            adapter=AdapterRef(name=version.id, path=str(prepared.adapter), whole=version.whole),
            method=prepared.exportable.method,
            precision="fp32" if fits_in_fp32(model) else "bf16",
            form=form,
            quant=quant,
            target="",
            name=name,
            publisher=PUBLISHER,
            prompting=prepared.exportable.prompting,
            probes=prepared.probes,
            answer_tokens=ANSWER_TOKENS,
            card=card_of(about),
            private=private_places(self._home, Path(version.model_path)),
        )


def _offer_of(exportable: Exportable, form: Form, quant: Quant) -> Offer:
    return next(each for each in offers(exportable) if (each.form, each.quant) == (form, quant))


def quant_for(form: Form, quant: Quant | None) -> Quant:
    """The number format that is meant. Raises PlanError where a form has none."""
    if form in WITH_GGUF:
        return USUAL_QUANT if quant in (None, "none") else quant
    if quant in (None, "none"):
        return "none"
    raise PlanError(
        f"The form “{form}” has no number format to choose.",
        f"{quant} is a format of GGUF files.",
        f"Leave --quant away, or choose one of: {', '.join(WITH_GGUF)}.",
    )


def fits_in_fp32(model: BaseModel) -> bool:
    """Whether both sides of the comparison can be computed in fp32, one after the other."""
    return 4 * model.parameters < FULL_PRECISION_SHARE * psutil.virtual_memory().available


def private_places(home: Home, model: Path) -> tuple[str, ...]:
    """Folders that say whose machine this is. A file system's root or one-letter folder says nothing."""
    places = {str(each) for each in (Path.home(), home.path, model.parent, home.path.resolve(), model.resolve().parent)}
    return tuple(sorted(place for place in places if len(re.sub(r"[\\/:.]", "", place)) > 1))


def _trained_rows(version: Version) -> int | None:
    """How many rows training saw; None where the prepared data is gone."""
    try:
        return read_header(Path(version.prepared)).splits["train"].rows
    except (OSError, KeyError, msgspec.MsgspecError):
        return None


def _not_offered(version: Version, offer: Offer) -> DataError:
    return DataError(
        f"{version.title} cannot be exported as {offer.form}{f' in {offer.quant}' if offer.quant != 'none' else ''}.",
        offer.why_not,
        f"See what can be had: peft-studio export {version.id}",
        "Choose a form that can be had there; the adapter itself always can be, if there is one.",
    )
