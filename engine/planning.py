"""Planning: the user's words made a draft, a draft a plan, a plan a runnable spec, for the machine of this Home."""

from __future__ import annotations

import time
from collections.abc import Mapping

import anyio
import anyio.to_thread
import msgspec

from engine import orders
from engine.core.errors import PlanError
from engine.core.home import Home, given_path
from engine.core.settings import Settings
from engine.core.topics import Topic
from engine.holding import new_id
from engine.library import Library
from engine.plan.calibration import Calibration
from engine.plan.costs import Tariff, tariff_of
from engine.plan.devices import speed_of
from engine.plan.facts import DataFacts
from engine.plan.hardware import Hardware, detect
from engine.plan.methods import TABLE as METHODS
from engine.plan.methods import MethodFacts, method_facts
from engine.plan.models import BaseModel, FoundModels, find_models, read_base_model, starter_path
from engine.plan.own_profiles import OwnProfiles
from engine.plan.planner import Draft, Means, Plan, method_of, plan, refuse_unready, to_spec
from engine.plan.profiles import Profile, profile, profile_for, profiles
from engine.results.continuing import continuation, method_settings
from engine.results.versions import Version, Versions
from engine.runs.calibrating import Calibrations
from engine.runs.scoring import Scored
from engine.runs.standing import Expectation, expectation_of
from engine.spec.methods import method_name
from engine.spec.objectives import objective_name
from engine.spec.records import Fact
from engine.spec.runspec import FORMAT, AdapterRef, Job, RunSpec

REPEATED = ("epochs", "learning_rate", "batch_size", "max_length", "schedule", "weight_decay", "clip_norm", "seed")
"""Settings that a run made again takes over; the others follow from these, the data and the machine."""

LOOK_SECONDS = 300.0
USUAL_PROFILE = "chatbot"
"""Whose usual lengths are taken where no profile is chosen yet."""


class MethodNeed(msgspec.Struct, frozen=True, kw_only=True):
    """What training a model by one method takes here at its peak, in bytes; `why_not` where it cannot be planned."""

    title: str
    memory: int = 0
    budget: int = 0
    fits: bool = False
    why_not: str = ""


class Planning:
    """Plans for one Home; `hardware` is None until it has been looked at."""

    def __init__(self, home: Home, settings: Topic[Settings], library: Library, calibrations: Calibrations) -> None:
        self._home = home
        self._settings = settings
        self._library = library
        self._calibrations = calibrations
        self.hardware: Topic[Hardware | None] = Topic(None)
        self.own_profiles = OwnProfiles(home.profiles)

    async def watch_hardware(self) -> None:
        """Publish what the machine has, and look again every few minutes: other programs take memory."""
        while True:
            self.hardware.set(await anyio.to_thread.run_sync(detect, self._home.path))
            await anyio.sleep(LOOK_SECONDS)

    async def _known_hardware(self) -> Hardware:
        async for hardware in self.hardware.watch():
            if hardware is not None:
                return hardware
        raise AssertionError("a topic's watch does not end")

    def profiles(self) -> tuple[Profile, ...]:
        """What a model can be tuned for: the product's profiles and the user's own."""
        self.own_profiles.refresh()
        return profiles()

    def models(self) -> FoundModels:
        """The starter model and every model folder in the Home, and those that cannot be used."""
        return find_models(self._home.models, starter_path())

    def model(self, words: str) -> BaseModel:
        """A model by name, or by the path of its folder. Raises ModelError."""
        for model in self.models().models:
            if words in (model.name, model.path):
                return model
        return read_base_model(starter_path() if words == "starter" else given_path(words))

    async def draft(self, order: orders.Order) -> Draft:
        """The user's words made a draft: dataset and model found, data counted. Raises StudioError."""
        await self._known_hardware()
        self.own_profiles.refresh()
        if order.parent:
            order, parent = self._continued(order)
        else:
            parent = None
        model = self.model(order.model)
        dataset = self._library.load(order.dataset)
        kind = order.profile or profile_for(dataset.schema).id
        length = min(model.context, profile(kind).dials.context)
        draft = Draft(
            name=order.name or dataset.name,
            profile=kind,
            model=model,
            data=await self._library.facts(dataset.id, model, length, order.objective or None),
            method=method_of(order.method),
            objective=order.objective or None,
            edits=order.edits,
            parent=parent,
        )
        return await self.settled(draft)

    def _continued(self, order: orders.Order) -> tuple[orders.Order, AdapterRef]:
        """The order with what it must share with the version that it goes on from. Raises StudioError."""
        versions = Versions(self._home.versions)
        version = versions.find(order.parent)
        onward = continuation(versions, version)
        filled = msgspec.structs.replace(
            order,
            model=onward.model_path,
            method=onward.method,
            name=order.name or version.name,
            profile=order.profile or version.profile,
            edits={**order.edits, **onward.edits},
        )
        return filled, onward.parent

    async def settled(self, draft: Draft) -> Draft:
        """The draft with its data counted at the context length that its own plan asks for. Raises StudioError."""
        length = self.plan(draft).training.max_length
        if length == draft.data.prepared_length:
            return draft
        facts = await self._library.facts(draft.data.dataset, draft.model, length, draft.objective)
        edits = {**draft.edits, "max_length": length}  # or fewer rows could ask for yet another length
        return msgspec.structs.replace(draft, data=facts, edits=edits)

    def plan(self, draft: Draft) -> Plan:
        """Everything decided, with reasons. Quick; the hardware is what was found at start.

        The estimate is corrected by what similar runs took here.
        """
        hardware = self._hardware()
        return plan(draft, hardware, Means(tariff=self.tariff, calibration=self._calibration(draft, hardware)))

    def needs(self, model: BaseModel) -> tuple[MethodNeed, ...]:
        """What the usual methods need with this model on this machine, for rows of the usual length."""
        length = min(model.context, profile(USUAL_PROFILE).dials.context)
        data = DataFacts.stand_in(length)
        draft = Draft(name=model.name, profile=USUAL_PROFILE, model=model, data=data)
        return tuple(self._need(each, draft) for each in METHODS.values() if each.level != "expert")

    def _need(self, method: MethodFacts, draft: Draft) -> MethodNeed:
        try:
            made = self.plan(msgspec.structs.replace(draft, method=method.name)).estimate
        except PlanError as error:
            return MethodNeed(title=method.title, why_not=f"{error.card.what} {error.card.why}")
        return MethodNeed(title=method.title, memory=made.memory_peak, budget=made.memory_budget, fits=made.fits)

    @property
    def tariff(self) -> Tariff:
        """What electricity costs here, as far as the user said; otherwise what is usual."""
        return tariff_of(self._settings.value)

    def _hardware(self) -> Hardware:
        return self.hardware.value or detect(self._home.path)

    def _calibration(self, draft: Draft, hardware: Hardware) -> Calibration | None:
        device = hardware.gpu.name if hardware.gpu else hardware.cpu or "processor"
        kind = method_facts(draft.method or profile(draft.profile).dials.method).kind
        return self._calibrations.of(device, kind, draft.model.parameters)

    def runnable(self, draft: Draft) -> tuple[RunSpec, Expectation]:
        """A settled draft made runnable, and what it is expected to need. Raises PlanError."""
        hardware = self._hardware()
        planned = self.plan(draft)
        refuse_unready(planned)
        spec = to_spec(
            planned,
            draft.model.ref,
            draft.data.ref(str(self._library.prepared(draft.data))),
            id=new_id(draft.name),
            created=time.time(),
            threads=self._threads(),
            parent=draft.parent,
        )
        expected = expectation_of(
            planned.estimate,
            on_gpu=hardware.gpu is not None,
            method=method_name(planned.method),
            parameters=draft.model.parameters,
            calibration=self._calibration(draft, hardware),
            flops=speed_of(hardware, planned.training.precision, draft.model.parameters).flops,
        )
        return spec, expected

    def learn(self, measured: Scored) -> None:
        """Correct later plans by what was measured. Raises OSError."""
        self._calibrations.add(measured)

    def spec(self, name: str, job: Job) -> RunSpec:
        """A spec for work that needs no plan: an evaluation, a host."""
        return RunSpec(
            format=FORMAT,
            id=new_id(name),
            name=name,
            created=time.time(),
            threads=self._threads(),
            processes=1,
            priority=0,
            job=job,
        )

    def _threads(self) -> int:
        hardware = self.hardware.value
        return self._settings.value.threads or (min(hardware.cores, hardware.threads) if hardware else 1)


def order_again(versions: Versions, version: Version, edits: Mapping[str, Fact]) -> orders.Order:
    """The order that would make this version again, with these settings changed. Raises DataError."""
    job = versions.job(version)
    method, own = method_settings(job.method)
    training = msgspec.structs.asdict(job.training)
    return orders.Order(
        dataset=version.dataset_id,
        model=version.model_path,
        profile=version.profile,
        method=method,
        objective=objective_name(job.objective),
        name=version.name,
        edits={**own, **{name: training[name] for name in REPEATED}, **edits},
        parent=version.parent,
    )
