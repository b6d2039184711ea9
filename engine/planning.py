"""Planning: the user's words made a draft, a draft a plan, a plan a runnable spec, for the machine of this Home."""

from __future__ import annotations

import time

import anyio.to_thread
import msgspec

from engine import orders
from engine.core.home import Home, given_path
from engine.core.settings import Settings
from engine.core.topics import Topic
from engine.holding import new_id
from engine.library import Library
from engine.plan.calibration import Calibration
from engine.plan.hardware import Hardware, detect
from engine.plan.methods import method_facts
from engine.plan.models import BaseModel, FoundModels, find_models, read_base_model, starter_path
from engine.plan.planner import Draft, Means, Plan, method_of, plan, refuse_unready, to_spec
from engine.plan.profiles import Profile, profile, profile_for, profiles
from engine.runs.calibrating import Calibrations
from engine.runs.standing import Expectation, expectation_of
from engine.spec.methods import method_name
from engine.spec.runspec import FORMAT, Job, RunSpec


class Planning:
    """Plans for one Home; `hardware` is None until it has been looked at."""

    def __init__(self, home: Home, settings: Topic[Settings], library: Library, calibrations: Calibrations) -> None:
        self._home = home
        self._settings = settings
        self._library = library
        self._calibrations = calibrations
        self.hardware: Topic[Hardware | None] = Topic(None)

    async def find_hardware(self) -> None:
        """Look at the machine once and publish what it has."""
        self.hardware.set(await anyio.to_thread.run_sync(detect, self._home.path))

    async def _known_hardware(self) -> Hardware:
        async for hardware in self.hardware.watch():
            if hardware is not None:
                return hardware
        raise AssertionError("a topic's watch does not end")

    def profiles(self) -> tuple[Profile, ...]:
        """What a model can be tuned for."""
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
        )
        return await self.settled(draft)

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
        return plan(draft, hardware, Means(calibration=self._calibration(draft, hardware)))

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
        )
        expected = expectation_of(
            planned.estimate,
            on_gpu=hardware.gpu is not None,
            method=method_name(planned.method),
            parameters=draft.model.parameters,
            calibration=self._calibration(draft, hardware),
        )
        return spec, expected

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
