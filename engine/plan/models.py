"""Base models: the facts planning needs, from config.json and the weight files' headers, or from config.json alone.

No weight is loaded and no code of the model is run. Knows nothing of where models come from.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import msgspec

from engine.core.errors import StudioError
from engine.data.nouns import Finding
from engine.plan.configs import Config, config_findings, read_config, refuse_other_kinds, refuse_unusable
from engine.plan.layers import Family, Linear, Widths, block_weights, family_of, linears
from engine.plan.tokens import has_template, tokenizer_findings
from engine.plan.weights import Weights, read_weights
from engine.spec.records import Card
from engine.spec.runspec import ModelRef


class BaseModel(msgspec.Struct, frozen=True, kw_only=True):
    """A base model's facts. `mlp` is the inner width of its feed-forward layers, `context` its longest text.

    `experts` is 0 for a dense model; `findings` say what had to be assumed.
    """

    path: str
    name: str
    architecture: str
    model_type: str
    parameters: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    experts: int
    experts_used: int
    vocabulary: int
    context: int
    tied: bool
    dtype: str
    weight_bytes: int
    fingerprint: str
    chat_template: bool
    findings: tuple[Finding, ...]

    @property
    def ref(self) -> ModelRef:
        """How a run names it."""
        return ModelRef(path=self.path, name=self.name, fingerprint=self.fingerprint)

    @property
    def family(self) -> Family:
        """How its blocks are built."""
        return family_of(self.model_type)

    @property
    def widths(self) -> Widths:
        """The numbers of one block."""
        return Widths(
            hidden=self.hidden, query=self.heads * self.head_dim, keys=self.kv_heads * self.head_dim, mlp=self.mlp
        )

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The linear layers of one block (of an expert model: with one expert)."""
        return linears(self.family, self.widths)

    @property
    def adaptable(self) -> tuple[Linear, ...]:
        """Those that adapters can be put on: experts are one block of numbers each, not layers."""
        return tuple(each for each in self.linears if not (self.experts and each.inner))

    @property
    def embedding_parameters(self) -> int:
        """Weights of the token table, and of the output layer where it has its own."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights of the layers that adapters attach to and 4-bit formats compress."""
        return max(0, self.parameters - self.embedding_parameters)

    @property
    def active_parameters(self) -> int:
        """Linear weights that work on each token: all of them, or those of the experts that are used."""
        if not self.experts:
            return self.linear_parameters
        return self.layers * block_weights(self.linears, self.experts_used)


class UnusableModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model folder that cannot be fine-tuned, and why."""

    path: str
    name: str
    card: Card


class FoundModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models at hand, the starter first, and the folders that look like models but cannot be used."""

    models: tuple[BaseModel, ...]
    unusable: tuple[UnusableModel, ...]


def starter_path() -> Path:
    """The folder of the model that comes with PEFT Studio."""
    return Path(str(resources.files("assets") / "starter"))


def find_models(home_models: Path, starter: Path) -> FoundModels:
    """Every model folder of the Home (also one level deeper: owner/name), and the starter."""
    folders = [
        starter,
        *sorted({file.parent for depth in ("*", "*/*") for file in home_models.glob(f"{depth}/config.json")}),
    ]
    models: list[BaseModel] = []
    unusable: list[UnusableModel] = []
    for folder in folders:
        try:
            models.append(read_base_model(folder))
        except StudioError as error:
            unusable.append(UnusableModel(path=str(folder), name=folder.name, card=error.card))
    return FoundModels(models=tuple(models), unusable=tuple(unusable))


def read_base_model(path: Path) -> BaseModel:
    """The facts of the model in this folder. Raises ModelError when it cannot be fine-tuned, saying why."""
    data, config = read_config(path / "config.json")
    refuse_unusable(config, path.name)
    refuse_other_kinds(config, path.name)
    return _model(path, data, config, read_weights(path))


def read_model_facts(path: Path) -> BaseModel:
    """The facts of a model folder, or of a config.json alone: enough to plan with, though not to train.

    Weights are then counted from the numbers in config.json (within about 1 %). Raises ModelError.
    """
    file = path / "config.json" if path.is_dir() else path
    data, config = read_config(file)
    if path.is_dir() and any(path.glob("*.safetensors")):
        return read_base_model(path)
    name = file.parent.name if file.name == "config.json" else file.stem
    refuse_other_kinds(config, name)
    return _model(file.parent, data, config, None, name)


def _model(path: Path, data: bytes, config: Config, weights: Weights | None, name: str = "") -> BaseModel:
    tied = config.tied(weights.has_head if weights else None)
    parameters = weights.parameters if weights else _counted(config, tied)
    return BaseModel(
        path=str(path.absolute()),
        name=name or path.name,
        architecture=config.architecture,
        model_type=config.model_type,
        parameters=parameters,
        hidden=config.hidden,
        layers=config.layers,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_width,
        mlp=config.mlp,
        experts=config.experts,
        experts_used=config.num_experts_per_tok or min(2, config.experts),
        vocabulary=config.vocab_size,
        context=config.context,
        tied=tied,
        dtype=config.precision or (weights.dtype if weights else "bfloat16"),
        weight_bytes=weights.bytes if weights else 2 * parameters,
        fingerprint=_fingerprint(data, weights),
        chat_template=has_template(path),
        findings=_findings(path, config, weights, tied),
    )


def _counted(config: Config, tied: bool) -> int:
    """All weights from the numbers alone: token tables, linear layers, norms."""
    widths = Widths(
        hidden=config.hidden,
        query=config.heads * config.head_width,
        keys=config.kv_heads * config.head_width,
        mlp=config.mlp,
    )
    block = block_weights(linears(config.family, widths), config.experts) + 2 * config.hidden
    tables = config.vocab_size * config.hidden * (1 if tied else 2)
    return tables + config.layers * block + config.hidden


def _findings(path: Path, config: Config, weights: Weights | None, tied: bool) -> tuple[Finding, ...]:
    found = [*config_findings(config), *(tokenizer_findings(path) if weights else _bare(config))]
    if weights is not None and not tied and not weights.has_head and config.family.name == "llama":
        found.append(
            Finding(
                level="problem",
                what="The model has no output layer.",
                why="Its config.json says that it is not the token table, and the weight files hold none.",
                fix="Download the model again, with all its files.",
            )
        )
    return tuple(found)


def _bare(config: Config) -> list[Finding]:
    """What is said of a config.json without weights."""
    found = [
        Finding(
            level="info",
            what="The model's weights are not here.",
            why="Their number is worked out from config.json, within about 1 %.",
            fix="To train, download the model's folder.",
        )
    ]
    if config.auto_map is not None or config.quantization_config is not None:
        what = "wants to run its own program code" if config.auto_map is not None else "is already compressed"
        found.append(
            Finding(
                level="warning",
                what=f"This model {what}, and would not be trained here.",
                why="Planning reads numbers only; training would have to run or undo what came with the model.",
                fix="Choose a model of a built-in architecture, in its original precision.",
            )
        )
    return found


def _fingerprint(config: bytes, weights: Weights | None) -> str:
    sizes = "".join(f"{name}:{size}\n" for name, size in (weights.files if weights else ()))
    return hashlib.sha256(config + sizes.encode()).hexdigest()
