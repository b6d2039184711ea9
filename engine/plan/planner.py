"""From a draft to a complete plan, in milliseconds, again at every change; and from a plan to a RunSpec.

Pure: hardware, model and data come in as facts. What the user set always wins; everything else is chosen here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from engine.core.errors import PlanError
from engine.data.nouns import Finding
from engine.plan import checks
from engine.plan.checks import Check
from engine.plan.defaults import MethodName, Situation, Value, method_values, step_values, training_values
from engine.plan.edits import METHODS, Settled, checked
from engine.plan.estimate import Estimate, estimate
from engine.plan.facts import DataFacts
from engine.plan.fitting import fit
from engine.plan.hardware import Hardware
from engine.plan.models import BaseModel
from engine.plan.profiles import profile
from engine.spec.methods import Method
from engine.spec.records import Fact
from engine.spec.runspec import FORMAT, DataRef, ModelRef, RunSpec, SpecInvalid, Training, TrainJob, validated


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has chosen so far. `method` None leaves the choice to the plan; `edits` are settings by name."""

    name: str
    profile: str
    model: BaseModel
    data: DataFacts
    method: MethodName | None = None
    edits: Mapping[str, Fact] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided, with reasons, estimate, findings and the pre-flight checks: what the review step shows.

    `needs_preparing` says that the data must be prepared again first, because another context length was chosen.
    """

    name: str
    profile: str
    method: Method
    training: Training
    total_steps: int
    values: tuple[Value, ...]
    estimate: Estimate
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    needs_preparing: bool

    @property
    def ready(self) -> bool:
        """Nothing stands against starting."""
        return not any(each.state == "problem" for each in self.checks) and not self.needs_preparing


def plan(draft: Draft, hardware: Hardware) -> Plan:
    """The complete plan. Raises PlanError for an unknown profile, method or setting, or a value outside its limits."""
    method = _method(draft)
    edits = checked(method, draft.edits)
    given = Situation(
        profile=profile(draft.profile), model=draft.model, data=draft.data, hardware=hardware, method=method
    )
    values = _values(given, edits)

    def judge(name: str, chosen: dict[str, Value]) -> Estimate:
        built, training = _build(name, chosen)
        steps = steps_of(draft.data.rows, training)
        return estimate(draft.model, draft.data, built, training, hardware, steps)

    free = draft.method is None
    name, values, result = fit(method, values, judge, may_quantize=free, fixed=frozenset(edits))
    built, training = _build(name, values)
    steps = steps_of(draft.data.rows, training)
    findings = checks.findings_of(draft.model, draft.data, built, training, result, steps)
    if name != method:
        findings = checks.sorted_by_level((*findings, checks.switched(values)))
    return Plan(
        name=draft.name,
        profile=draft.profile,
        method=built,
        training=training,
        total_steps=steps,
        values=(_method_value(name, draft, method), *values.values()),
        estimate=result,
        findings=findings,
        checks=checks.checks_of(draft.model, draft.data, hardware, training, result),
        needs_preparing=training.max_length != draft.data.prepared_length,
    )


def steps_of(rows: int, training: Training) -> int:
    """Optimizer steps of the whole run: epochs times the batches of one."""
    return training.epochs * math.ceil(rows / training.batch_size)


def _method(draft: Draft) -> MethodName:
    wanted = draft.method or profile(draft.profile).dials.method
    if wanted not in METHODS:
        raise PlanError(f"There is no method “{wanted}”.", f"There are: {', '.join(METHODS)}.", "Choose one of them.")
    return wanted


def _values(given: Situation, edits: dict[str, Settled]) -> dict[str, Value]:
    """All values by name: the defaults, what the user set, and what follows from the number of steps they give."""
    chosen = {each.name: each for each in (*method_values(given), *training_values(given))}
    mine = {name: Value(name=name, value=value, reason="You chose it.", source="you") for name, value in edits.items()}
    chosen |= {name: value for name, value in mine.items() if name in chosen}
    if "rank" in mine and "alpha" in chosen and "alpha" not in mine:
        ratio = given.profile.dials.alpha_ratio
        alpha = max(1, min(2048, round(int(str(mine["rank"].value)) * ratio)))
        chosen["alpha"] = msgspec.structs.replace(chosen["alpha"], value=alpha)
    batch, micro = int(str(chosen["batch_size"].value)), int(str(chosen["micro_batch"].value))
    if micro > batch:
        reason = f"No more than the batch of {batch} can be computed at once."
        chosen["micro_batch"] = Value(name="micro_batch", value=batch, reason=reason, source="hardware")
    epochs = int(str(chosen["epochs"].value))
    steps = epochs * math.ceil(given.data.rows / batch)
    following = {
        each.name: each for each in step_values(steps, given.profile.dials.warmup_share, given.data.validation_tokens)
    }
    return chosen | following | {name: value for name, value in mine.items() if name in following}


def _build(method: str, values: dict[str, Value]) -> tuple[Method, Training]:
    """The two structs, checked against their limits."""
    plain = {name: each.value for name, each in values.items()}
    kind = next(struct for name, struct in METHODS.items() if name == method)
    own = {name: plain[name] for name in kind.__struct_fields__}
    numbers = {name: plain[name] for name in Training.__struct_fields__}
    try:
        return msgspec.convert({"method": method, **own}, Method), msgspec.convert(numbers, Training)
    except msgspec.ValidationError as error:
        raise PlanError(
            "These values do not make a plan.",
            f"{error}.",
            "Take the suggested values again, and change one at a time.",
        ) from error


def _method_value(name: str, draft: Draft, wanted: MethodName) -> Value:
    if draft.method is not None:
        return Value(name="method", value=name, reason="You chose it.", source="you")
    if name != wanted:
        reason = "The model in 16 or 32 bits does not fit the memory; in 4 bits it takes a quarter."
        return Value(name="method", value=name, reason=reason, source="hardware")
    reason = "Trains small adapters beside the model: little memory, and nearly as good as training all of it."
    return Value(name="method", value=name, reason=reason, source="profile")


def to_spec(
    plan: Plan,
    model: ModelRef,
    data: DataRef,
    *,
    id: str,
    created: float,
    threads: int,
    priority: int = 0,
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
        training=plan.training,
        total_steps=plan.total_steps,
        profile=plan.profile,
    )
    spec = RunSpec(format=FORMAT, id=id, name=plan.name, created=created, threads=threads, priority=priority, job=job)
    try:
        return validated(spec)
    except SpecInvalid as error:
        raise PlanError(
            "The plan cannot be made into a run.", f"{error}.", "Review the values and try again."
        ) from error


def method_of(words: str) -> MethodName | None:
    """A method by name; None leaves the choice to the plan. Raises PlanError with the choices."""
    if not words:
        return None
    for name in METHODS:
        if words.lower() == name:
            return name
    raise PlanError(f"There is no method “{words}”.", f"There are: {', '.join(METHODS)}.", "Choose one of them.")


def refuse_unready(planned: Plan) -> None:
    """Raise PlanError naming the first check that stands against starting."""
    for check in planned.checks:
        if check.state == "problem":
            raise PlanError(f"The run cannot start: {check.title}.", check.note, "Change the plan and try again.")
