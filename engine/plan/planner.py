"""From a draft to a complete plan, in a few milliseconds, again at every change; and from a plan to a RunSpec.

Pure: hardware, model and data come in as facts. What the user set always wins; everything else is chosen here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from engine.core.errors import PlanError
from engine.data.nouns import Finding
from engine.plan import checks
from engine.plan.alternatives import Alternative, alternatives
from engine.plan.calibration import Calibration
from engine.plan.checks import Check
from engine.plan.combinations import learns_positions, refuse_impossible
from engine.plan.costs import USUAL_TARIFF, Tariff
from engine.plan.defaults import Situation, alpha_ratio, method_values, step_values, training_values
from engine.plan.edits import checked
from engine.plan.estimate import Estimate, Job, Memory, estimate, memory_of
from engine.plan.facts import DataFacts
from engine.plan.fitting import fit
from engine.plan.hardware import Hardware
from engine.plan.memory import LossPath, practice_of
from engine.plan.methods import MethodFacts, method_facts
from engine.plan.models import BaseModel
from engine.plan.objectives import OBJECTIVES, choose_objective, objective_values
from engine.plan.objectives import TABLE as OBJECTIVE_TABLE
from engine.plan.profiles import profile
from engine.plan.solver import limits_of
from engine.plan.values import Settled, Value
from engine.spec.methods import METHODS, Method
from engine.spec.objectives import Objective
from engine.spec.records import Fact
from engine.spec.runspec import (
    FORMAT,
    AdapterRef,
    DataRef,
    ModelRef,
    RunSpec,
    SpecInvalid,
    Training,
    TrainJob,
    validated,
)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has chosen so far. `method` and `objective` None leave the choice to the plan; `edits` are settings
    by name. `method` may be any name in the table of methods, or a PEFT tuner's. `parent` is a version to go on from.
    """

    name: str
    profile: str
    model: BaseModel
    data: DataFacts
    method: str | None = None
    objective: str | None = None
    edits: Mapping[str, Fact] = {}
    parent: AdapterRef | None = None


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What an estimate rests on besides the draft: the tariff, a probe's measurements, how the loss is made.

    Only `labelled` is what runs do here; the others show what a trainer needs that computes all scores.
    """

    tariff: Tariff = USUAL_TARIFF
    calibration: Calibration | None = None
    loss: LossPath = "labelled"


USUAL_MEANS = Means()
BASE_FORMAT = ("quantization", "double_quantization")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided, with reasons, estimate, findings and the pre-flight checks: what the review step shows.

    `needs_preparing` says that the data must be prepared again first, because another context length was chosen.
    """

    name: str
    profile: str
    method: Method
    objective: Objective
    training: Training
    processes: int
    total_steps: int
    values: tuple[Value, ...]
    estimate: Estimate
    alternatives: tuple[Alternative, ...]
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    needs_preparing: bool

    @property
    def ready(self) -> bool:
        """Nothing stands against starting."""
        return not any(each.state == "problem" for each in self.checks) and not self.needs_preparing


class _Built(msgspec.Struct, frozen=True):
    """The structs that values make."""

    method: Method
    objective: Objective
    training: Training
    processes: int


def plan(draft: Draft, hardware: Hardware, means: Means = USUAL_MEANS) -> Plan:
    """The complete plan. Raises PlanError for an unknown profile, method, objective or setting, a value outside its
    limits, or a combination that is impossible."""
    chosen = _method(draft)
    given = _situation(draft, hardware, chosen)
    edits = checked(chosen.name, draft.edits, given.objective)
    kind, values = _fitted(given, draft, edits, means)
    built = _build(kind, given.objective, values)
    refuse_impossible(built.method, built.training, hardware, built.processes)
    job = _job(given, built, means)
    made = _with_limits(estimate(job), job)
    return Plan(
        name=draft.name,
        profile=draft.profile,
        method=built.method,
        objective=built.objective,
        training=built.training,
        processes=built.processes,
        total_steps=job.total_steps,
        values=(_method_value(kind, chosen, draft), _objective_value(given.objective, draft), *values.values()),
        estimate=made,
        alternatives=_alternatives(given, draft, kind, values, made, means),
        findings=_findings(given, kind, values, built, made, job.total_steps),
        checks=checks.checks_of(draft.model, draft.data, hardware, built.training, made),
        needs_preparing=built.training.max_length != draft.data.prepared_length,
    )


def steps_of(rows: int, training: Training) -> int:
    """Optimizer steps of the whole run: epochs times the batches of one. Of preference pairs `rows` counts pairs."""
    return training.epochs * math.ceil(rows / training.batch_size)


def _method(draft: Draft) -> MethodFacts:
    return method_facts(draft.method or profile(draft.profile).dials.method)


def _situation(draft: Draft, hardware: Hardware, method: MethodFacts) -> Situation:
    return Situation(
        profile=profile(draft.profile),
        model=draft.model,
        data=draft.data,
        hardware=hardware,
        method=method,
        objective=choose_objective(draft.objective, draft.data.layout),
    )


def _fitted(given: Situation, draft: Draft, edits: dict[str, Settled], means: Means) -> tuple[str, dict[str, Value]]:
    """The kind of method and all values, made to fit the memory."""
    values = _values(given, edits)
    positions = learns_positions(_build(given.kind, given.objective, values).method)

    def judge(kind: str, tried: dict[str, Value]) -> Memory:
        return memory_of(_job(given, _build(kind, given.objective, tried), means))

    free = draft.method is None
    return fit(given.kind, values, judge, may_quantize=free, may_checkpoint=not positions, fixed=frozenset(edits))


def _job(given: Situation, built: _Built, means: Means) -> Job:
    return Job(
        model=given.model,
        data=given.data,
        method=built.method,
        objective=built.objective,
        training=built.training,
        processes=built.processes,
        hardware=given.hardware,
        total_steps=steps_of(given.data.examples, built.training),
        practice=practice_of(means.loss),
        calibration=means.calibration,
        tariff=means.tariff,
    )


def _with_limits(made: Estimate, job: Job) -> Estimate:
    found = limits_of(
        job.model,
        job.data,
        job.method,
        job.training,
        job.device,
        made.memory_budget,
        job.memory_ratio,
        job.practice,
        job.processes,
    )
    return msgspec.structs.replace(made, limits=found)


def _findings(
    given: Situation, kind: str, values: dict[str, Value], built: _Built, made: Estimate, steps: int
) -> tuple[Finding, ...]:
    found = checks.findings_of(given.model, given.data, built.method, built.training, made, steps)
    if kind != given.kind:
        found = checks.sorted_by_level((*found, checks.switched(values)))
    return found


def _alternatives(
    given: Situation, draft: Draft, kind: str, values: dict[str, Value], made: Estimate, means: Means
) -> tuple[Alternative, ...]:
    def judge(method: str, changed: Mapping[str, Fact]) -> Estimate | None:
        """The estimate with these changes; another method brings what the first lacks, and its own form of the base."""
        other = msgspec.structs.replace(given, method=method_facts(method)) if method else given
        own = {each.name: each for each in method_values(other)} if method else {}
        base = {name: own[name] for name in BASE_FORMAT if name in own}
        tried = {**own, **values, **base, **{name: _plain(name, value) for name, value in changed.items()}}
        try:
            built = _build(other.kind if method else kind, given.objective, tried)
            refuse_impossible(built.method, built.training, given.hardware, built.processes)
        except PlanError:
            return None
        shorter = msgspec.structs.replace(given, data=given.data.cut_to(built.training.max_length))
        return estimate(_job(shorter, built, means))

    return alternatives(kind, values, made, judge, frozenset(draft.edits), draft.method is None)


def _plain(name: str, value: Fact) -> Value:
    return Value(name=name, value=value, reason="An alternative.", source="usual")


def _values(given: Situation, edits: dict[str, Settled]) -> dict[str, Value]:
    """All values by name: the defaults, what the user set, and what follows from the number of steps they give."""
    defaults = (*method_values(given), *objective_values(given.objective, given.data), *training_values(given))
    chosen = {each.name: each for each in defaults}
    mine = {name: Value(name=name, value=value, reason="You chose it.", source="you") for name, value in edits.items()}
    chosen |= {name: value for name, value in mine.items() if name in chosen}
    if "rank" in mine and "alpha" in chosen and "alpha" not in mine:
        alpha = max(1, min(2048, round(int(str(mine["rank"].value)) * alpha_ratio(given))))
        chosen["alpha"] = msgspec.structs.replace(chosen["alpha"], value=alpha)
    batch, micro = int(str(chosen["batch_size"].value)), int(str(chosen["micro_batch"].value))
    each = max(1, batch // int(str(chosen["processes"].value)))
    if micro > each:
        reason = f"No more than the batch of {batch} can be computed at once."
        if each < batch:
            reason = f"The batch of {batch} is dealt to the processes; each computes its part at once."
        chosen["micro_batch"] = Value(name="micro_batch", value=each, reason=reason, source="hardware")
    epochs = int(str(chosen["epochs"].value))
    steps = epochs * math.ceil(given.data.examples / batch)
    following = {
        each.name: each for each in step_values(steps, given.profile.dials.warmup_share, given.data.validation_tokens)
    }
    return chosen | following | {name: value for name, value in mine.items() if name in following}


def _build(kind: str, objective: str, values: Mapping[str, Value]) -> _Built:
    """The three structs, checked against their limits."""
    plain = {name: each.value for name, each in values.items()}
    own = {name: plain[name] for name in METHODS[kind].__struct_fields__}
    aims = {name: plain[name] for name in OBJECTIVES[objective].__struct_fields__}
    numbers = {name: plain[name] for name in Training.__struct_fields__}
    try:
        return _Built(
            msgspec.convert({"method": kind, **own}, Method),
            msgspec.convert({"objective": objective, **aims}, Objective),
            msgspec.convert(numbers, Training),
            int(str(plain["processes"])),
        )
    except msgspec.ValidationError as error:
        raise PlanError(
            "These values do not make a plan.",
            f"{error}.",
            "Take the suggested values again, and change one at a time.",
        ) from error


def _method_value(kind: str, chosen: MethodFacts, draft: Draft) -> Value:
    if draft.method is not None:
        return Value(name="method", value=chosen.name, reason=f"You chose it. {chosen.what}", source="you")
    if kind != chosen.kind:
        reason = "The model in 16 or 32 bits does not fit the memory; in 4 bits it takes a quarter."
        return Value(name="method", value=kind, reason=reason, source="hardware")
    return Value(name="method", value=chosen.name, reason=f"{chosen.what} {chosen.cost}", source="profile")


def _objective_value(name: str, draft: Draft) -> Value:
    if draft.objective is not None:
        return Value(name="objective", value=name, reason="You chose it.", source="you")
    words = OBJECTIVE_TABLE[name]
    return Value(name="objective", value=name, reason=f"{words.when} {words.what}", source="data")


def to_spec(
    plan: Plan,
    model: ModelRef,
    data: DataRef,
    *,
    id: str,
    created: float,
    threads: int,
    priority: int = 0,
    parent: AdapterRef | None = None,
) -> RunSpec:
    """The plan made runnable, checked. Raises PlanError when the data must be prepared again first."""
    if plan.needs_preparing:
        raise PlanError(
            "The data is not prepared for this context length.",
            f"The plan asks for {plan.training.max_length:,} tokens.",
            "Prepare the dataset again with this length.",
        )
    job = TrainJob(
        model=model,
        data=data,
        method=plan.method,
        objective=plan.objective,
        training=plan.training,
        total_steps=plan.total_steps,
        profile=plan.profile,
        parent=parent,
    )
    spec = RunSpec(
        format=FORMAT,
        id=id,
        name=plan.name,
        created=created,
        threads=max(1, threads // plan.processes),
        processes=plan.processes,
        priority=priority,
        job=job,
    )
    try:
        return validated(spec)
    except SpecInvalid as error:
        raise PlanError(
            "The plan cannot be made into a run.", f"{error}.", "Review the values and try again."
        ) from error


def method_of(words: str) -> str | None:
    """A method by name; None leaves the choice to the plan. Raises PlanError with the choices."""
    return method_facts(words).name if words else None


def refuse_unready(planned: Plan) -> None:
    """Raise PlanError naming the first check that stands against starting."""
    for check in planned.checks:
        if check.state == "problem":
            raise PlanError(f"The run cannot start: {check.title}.", check.note, "Change the plan and try again.")
