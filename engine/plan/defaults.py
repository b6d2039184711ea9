"""A value for every setting of a run, each with its reason in plain words and where it came from.

Starting points come from the profile, the model's size and the data; `fitting` then makes them fit the memory, and what
the user set is never touched. Pure.
"""

from __future__ import annotations

from math import ceil

import msgspec

from engine.plan.facts import DataFacts
from engine.plan.hardware import Hardware
from engine.plan.methods import DEFAULT_TUNER, MethodFacts
from engine.plan.models import BaseModel
from engine.plan.objectives import PREFERENCE_RATE
from engine.plan.profiles import Profile
from engine.plan.values import Value

LEARNING_RATES: tuple[tuple[int, float, float], ...] = (
    (50_000_000, 3e-3, 5e-4),
    (500_000_000, 5e-4, 5e-5),
    (13_000_000_000, 2e-4, 1e-5),
    (10**15, 1e-4, 5e-6),
)
"""Up to so many weights: the rate for adapters, the rate for full fine-tuning."""
SMALL = 50_000_000
CPU_TOKENS, GPU_TOKENS = 2_048, 8_192
"""Most tokens computed at once before memory is looked at: processors gain nothing from more."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a default may depend on."""

    profile: Profile
    model: BaseModel
    data: DataFacts
    hardware: Hardware
    method: MethodFacts
    objective: str = "sft"

    @property
    def kind(self) -> str:
        """The tag of the method's struct."""
        return self.method.kind

    @property
    def prefers(self) -> bool:
        """Preferences are learned, not imitation."""
        return self.objective != "sft"

    @property
    def small(self) -> bool:
        """A model of the starter's size, which learns fast and needs it."""
        return self.model.parameters <= SMALL


def method_values(given: Situation) -> list[Value]:
    """Values for the method's own settings; what the name itself asks for (16 of LoRA+, 8 bits) stands over them."""
    match given.kind:
        case "full":
            values = []
        case "prefix":
            values = [_virtual_tokens()]
        case "ia3":
            values = _factors(given)
        case "tuner":
            reason = "The smallest of them; any other name of PEFT's can be given."
            values = [Value(name="tuner", value=DEFAULT_TUNER, reason=reason, source="usual"), _targets(given)]
        case _:
            values = _low_rank(given)
    asked = given.method.presets
    reason = f"{given.method.title} is this."
    return [
        Value(name=each.name, value=asked[each.name], reason=reason, source="usual") if each.name in asked else each
        for each in values
    ]


def _low_rank(given: Situation) -> list[Value]:
    rank = _rank(given)
    values = [
        rank,
        _alpha(given, int(str(rank.value))),
        _dropout(given),
        _targets(given),
        Value(name="rate_ratio", value=1.0, reason="Both matrices learn at one rate.", source="usual"),
    ]
    if given.kind == "qlora":
        values += _quantization()
    if given.kind == "dora":
        values += _unquantized()
    if given.kind == "pissa":
        reason = "Sixteen rounds find the strongest directions nearly exactly, in seconds instead of minutes."
        values.append(Value(name="iterations", value=16, reason=reason, source="usual"))
    return values


def alpha_ratio(given: Situation) -> float:
    """Alpha over rank: the method's own where it has one, else the profile's."""
    return given.method.alpha_ratio or given.profile.dials.alpha_ratio


def _alpha(given: Situation, rank: int) -> Value:
    ratio = alpha_ratio(given)
    own = given.method.alpha_ratio is not None
    reason = f"{ratio:g} times the rank, so that the rank can change and the learning rate stay."
    if own:
        reason = f"{given.method.title} scales its adapter itself; alpha equals the rank."
    return Value(
        name="alpha", value=max(1, min(2048, round(rank * ratio))), reason=reason, source="usual" if own else "profile"
    )


def _dropout(given: Situation) -> Value:
    if given.kind == "pissa":
        reason = "What PiSSA begins with is part of the model; silencing it would hurt."
        return Value(name="dropout", value=0.0, reason=reason, source="usual")
    few = given.data.rows < 20_000
    return Value(
        name="dropout",
        value=given.profile.dials.dropout if few else 0.0,
        reason="Helps against rote learning while examples are few."
        if few
        else "With so many examples rote learning is no danger.",
        source="profile" if few else "data",
    )


def _targets(given: Situation) -> Value:
    reason = f"{given.profile.title}: adapting every layer learns most for its memory."
    if given.model.experts:
        reason = "Every linear layer; experts are blocks of numbers, not layers, and stay as they are."
    return Value(name="targets", value=given.profile.dials.targets, reason=reason, source="profile")


def _virtual_tokens() -> Value:
    reason = "Twenty positions are what its paper and PEFT begin with; more learn more and take places of the context."
    return Value(name="virtual_tokens", value=20, reason=reason, source="usual")


def _factors(given: Situation) -> list[Value]:
    """IA3 scales keys, values and the inner part; what these are called depends on the architecture."""
    family = given.model.family
    reason = f"Keys, values and the inner part, as {given.model.architecture or family.name} calls them."
    inner = "Of these, the ones whose input is scaled: the inner part's channels."
    dense = not given.model.experts
    return [
        Value(
            name="targets",
            value=family.ia3 if dense else tuple(each for each in family.ia3 if each not in family.feedforward),
            reason=reason,
            source="model",
        ),
        Value(name="feedforward", value=family.feedforward if dense else (), reason=inner, source="model"),
    ]


def _rank(given: Situation) -> Value:
    wanted = given.profile.dials.rank
    most = max(4, given.model.hidden // 4)
    if wanted > most:
        reason = f"The model is only {given.model.hidden} numbers wide; a higher rank adds nothing."
        return Value(name="rank", value=most, reason=reason, source="model")
    if given.data.rows < 100 and wanted > 8:
        reason = f"With only {given.data.rows} examples a small rank keeps the model from learning them by rote."
        return Value(name="rank", value=8, reason=reason, source="data")
    return Value(name="rank", value=wanted, reason=given.profile.why, source="profile")


def _quantization() -> list[Value]:
    return [
        Value(
            name="quantization",
            value="nf4",
            reason="Loses least at 4 bits: its steps are finest where most weights are.",
            source="usual",
        ),
        Value(name="double_quantization", value=True, reason="Saves about 0.4 bits a weight for free.", source="usual"),
    ]


def _unquantized() -> list[Value]:
    reason = "The base stays as it is; nf4 takes a quarter of its memory."
    unused = "Only counts for a base in 4 bits."
    return [
        Value(name="quantization", value="none", reason=reason, source="usual"),
        Value(name="double_quantization", value=True, reason=unused, source="usual"),
    ]


def training_values(given: Situation) -> list[Value]:
    """Values for every field of `Training` that does not depend on how many steps there are."""
    return [
        _epochs(given),
        _rate(given),
        _batch(given),
        _micro(given),
        _length(given),
        *_schedule(given),
        *_device(given),
    ]


def _epochs(given: Situation) -> Value:
    rows, scale = given.data.examples, given.profile.dials.epochs_scale
    if given.small:
        epochs = max(1, min(20, round(3_000 / max(1, rows) * scale)))
        reason = f"A small model needs to see {rows:,} examples {epochs} times; about 3,000 looks in all."
    elif given.prefers:
        epochs = 2 if rows < 1_000 else 1
        reason = f"{rows:,} examples: preferences are learned quickly, and overdone as quickly."
    else:
        usual = 4 if rows < 200 else 3 if rows < 2_000 else 2 if rows < 20_000 else 1
        epochs = max(1, round(usual * scale))
        reason = f"{rows:,} examples: more rounds would teach them by rote, fewer would leave them half learned."
    return Value(name="epochs", value=epochs, reason=reason, source="data")


def _rate(given: Situation) -> Value:
    adapter, full = next((one, other) for most, one, other in LEARNING_RATES if given.model.parameters <= most)
    whole = given.kind == "full"
    scale = given.profile.dials.learning_rate_scale
    rate = (full if whole else adapter) * scale * given.method.rate * (PREFERENCE_RATE if given.prefers else 1.0)
    reason = f"Usual for training {'all weights' if whole else 'adapters'}"
    reason += f" of a model of {count(given.model.parameters)} weights"
    reason += f", times {scale:g} for {given.profile.title.lower()}" if scale != 1 else ""
    reason += f", times {given.method.rate:g} for {given.method.title}" if given.method.rate != 1 else ""
    reason += f", times {PREFERENCE_RATE:g} for preferences" if given.prefers else ""
    return Value(name="learning_rate", value=min(0.5, float(f"{rate:.3g}")), reason=f"{reason}.", source="model")


def _batch(given: Situation) -> Value:
    rows = given.data.examples
    size = 4 if rows < 100 else 8 if rows < 200 else 16 if rows < 5_000 else 32
    reason = f"{rows:,} examples give {ceil(rows / size):,} steps a round: enough to learn in, each steady enough."
    return Value(name="batch_size", value=size, reason=reason, source="data")


def _micro(given: Situation) -> Value:
    batch = int(str(_batch(given).value))
    tokens = GPU_TOKENS if given.hardware.gpu else CPU_TOKENS
    longest = given.data.longest * (2 if given.data.layout == "pairs" else 1)
    micro = max(1, min(batch, tokens // max(1, longest)))
    reason = (
        "A whole batch at once."
        if micro == batch
        else f"The longest example has {given.data.longest:,} tokens; about {tokens:,} at once are quickest here."
    )
    return Value(name="micro_batch", value=micro, reason=reason, source="hardware")


def _length(given: Situation) -> Value:
    data = given.data
    reason = f"The data is prepared to this length; the longest example has {data.longest:,} tokens."
    if data.truncated:
        reason = f"The data is prepared to this length; {data.truncated:,} examples were longer and are cut."
    return Value(name="max_length", value=data.prepared_length, reason=reason, source="data")


def _schedule(given: Situation) -> list[Value]:
    dials, title = given.profile.dials, given.profile.title
    decay = 0.01 if given.kind == "full" else dials.weight_decay
    usual = "The usual value; there is rarely a reason to change it."
    falls = {"cosine": "Falls slowly, then fast, then slowly", "linear": "Falls evenly", "constant": "Does not fall"}
    return [
        Value(
            name="schedule",
            value=dials.schedule,
            reason=f"{falls[dials.schedule]}: what {title.lower()} does well with.",
            source="profile",
        ),
        Value(
            name="weight_decay",
            value=decay,
            reason="A gentle pull that keeps weights from growing."
            if decay
            else "Adapters start at zero and stay small.",
            source="profile",
        ),
        Value(name="beta1", value=0.9, reason=usual, source="usual"),
        Value(name="beta2", value=0.999, reason=usual, source="usual"),
        Value(name="epsilon", value=1e-8, reason=usual, source="usual"),
        Value(name="optimizer", value="adamw", reason="The usual one; its state fits.", source="usual"),
        Value(name="recovery", value="automatic", reason="A run heals itself at night, too.", source="usual"),
        Value(name="clip_norm", value=1.0, reason="One bad example cannot throw training off.", source="usual"),
        Value(name="seed", value=42, reason="Any number will do; the same one repeats the run.", source="usual"),
    ]


def _device(given: Situation) -> list[Value]:
    precision, reason = _precision(given)
    return [
        Value(name="precision", value=precision, reason=reason, source="hardware"),
        Value(
            name="gradient_checkpointing",
            value=False,
            reason="Not possible with this method."
            if given.kind == "prefix"
            else "There is memory enough, and it would cost a third more time.",
            source="hardware",
        ),
        *_way(given),
        _processes(given),
        Value(
            name="keep_checkpoints",
            value=2,
            reason="The newest one to resume from, and one before it, besides the best.",
            source="usual",
        ),
    ]


def _way(given: Situation) -> list[Value]:
    """How steps are computed: settled for processors (`build/bench/run.py training`), measured by the run on a GPU."""
    if given.hardware.gpu is not None:
        tried = "The run tries it on its first rows and keeps what is faster."
        return [
            Value(name="packing", value="measured", reason=tried, source="hardware"),
            Value(name="compilation", value="measured", reason=tried, source="hardware"),
        ]
    return [
        Value(name="packing", value="on", reason="Nothing is padded, and a step takes fewer calls.", source="hardware"),
        Value(name="compilation", value="off", reason="Compiling takes minutes on a processor.", source="hardware"),
    ]


def _processes(given: Situation) -> Value:
    """One process, until somebody asks for more: several need the same cards, and all of them free."""
    cards = len(given.hardware.gpus)
    reason = "A processor is used whole by one process."
    if cards:
        reason = f"There are {cards} cards; as many processes share each step." if cards > 1 else "There is one card."
    return Value(name="processes", value=1, reason=reason, source="hardware")


def _precision(given: Situation) -> tuple[str, str]:
    gpu = given.hardware.gpu
    if gpu is not None:
        if gpu.capability >= 8:
            return "bf16", f"{gpu.name} computes fastest in it, and it never overflows."
        return "fp16", f"{gpu.name} is from before bf16; this is its 16-bit format."
    if given.small:
        return "fp32", "A small model is fastest and exact in 32 bits on a processor."
    if given.hardware.bf16:
        return "bf16", "This processor multiplies 16-bit numbers four times as fast, at half the memory."
    if given.model.parameters * 6 < given.hardware.memory_free * 0.8:
        return "fp32", "This processor is faster in 32 bits, and memory is enough."
    return "bf16", "Half the memory; in 32 bits the model would not fit."


def step_values(total_steps: int, warmup_share: float, held_tokens: int) -> list[Value]:
    """Values that follow from the number of steps; looking at many held-out tokens is done less often."""
    warmup = round(total_steps * warmup_share)
    often = max(1, ceil(total_steps / (15 if held_tokens < 50_000 else 10)))
    looks = ceil(total_steps / often)
    return [
        Value(
            name="warmup_steps",
            value=warmup,
            reason=f"{warmup_share:.0%} of {total_steps:,} steps: the first ones are small, while the way is unsure.",
            source="profile",
        ),
        Value(
            name="validate_every",
            value=often,
            reason=f"{looks} looks at the held-out rows: enough to see where learning turns into rote.",
            source="data",
        ),
        Value(
            name="checkpoint_every",
            value=often,
            reason=f"{looks} saved states; a fault costs at most {often} steps.",
            source="data",
        ),
    ]


def count(number: float) -> str:
    """1,234,567 as people say it: 1.2 M."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:g}"
