"""Base models in local folders: the facts planning needs, read from config.json and the headers of the weight files.

No weight is loaded and no code of the model is run. Knows nothing of where models come from.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import msgspec

from engine.core.errors import ModelError, StudioError
from engine.plan.weights import Weights, read_weights
from engine.spec.records import Card
from engine.spec.runspec import ModelRef

ENCODERS = ("bert", "roberta", "albert", "electra", "deberta", "distilbert", "xlm-roberta", "camembert", "modernbert")


class BaseModel(msgspec.Struct, frozen=True, kw_only=True):
    """A base model's facts. `mlp` is the inner width of its feed-forward layers, `context` its longest text."""

    path: str
    name: str
    architecture: str
    parameters: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocabulary: int
    context: int
    tied: bool
    dtype: str
    weight_bytes: int
    fingerprint: str
    chat_template: bool

    @property
    def ref(self) -> ModelRef:
        """How a run names it."""
        return ModelRef(path=self.path, name=self.name, fingerprint=self.fingerprint)

    @property
    def embedding_parameters(self) -> int:
        """Weights of the token table, and of the output layer where it has its own."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights of the layers that adapters attach to and 4-bit formats compress."""
        return max(0, self.parameters - self.embedding_parameters)


class UnusableModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model folder that cannot be fine-tuned, and why."""

    path: str
    name: str
    card: Card


class FoundModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models at hand, the starter first, and the folders that look like models but cannot be used."""

    models: tuple[BaseModel, ...]
    unusable: tuple[UnusableModel, ...]


class _Config(msgspec.Struct):
    """`config.json` in its old and new spellings; everything else in it is passed over."""

    architectures: list[str] | None = None
    model_type: str = ""
    auto_map: dict[str, object] | None = None
    quantization_config: dict[str, object] | None = None
    is_encoder_decoder: bool = False
    hidden_size: int | None = None
    n_embd: int | None = None
    d_model: int | None = None
    num_hidden_layers: int | None = None
    n_layer: int | None = None
    num_attention_heads: int | None = None
    n_head: int | None = None
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    intermediate_size: int | None = None
    n_inner: int | None = None
    ffn_dim: int | None = None
    vocab_size: int = 0
    max_position_embeddings: int | None = None
    n_positions: int | None = None
    tie_word_embeddings: bool | None = None
    dtype: str | None = None
    torch_dtype: str | None = None

    @property
    def hidden(self) -> int:
        return self.hidden_size or self.n_embd or self.d_model or 0

    @property
    def heads(self) -> int:
        return self.num_attention_heads or self.n_head or 0


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
    data = _config_bytes(path)
    config = _decode(data, path)
    _check(config, path)
    weights = read_weights(path)
    heads = config.heads
    hidden = config.hidden
    tied = config.tie_word_embeddings if config.tie_word_embeddings is not None else not weights.has_head
    return BaseModel(
        path=str(path.absolute()),
        name=path.name,
        architecture=(config.architectures or [""])[0],
        parameters=weights.parameters,
        hidden=hidden,
        layers=config.num_hidden_layers or config.n_layer or 0,
        heads=heads,
        kv_heads=config.num_key_value_heads or heads,
        head_dim=config.head_dim or hidden // max(1, heads),
        mlp=config.intermediate_size or config.n_inner or config.ffn_dim or 4 * hidden,
        vocabulary=config.vocab_size,
        context=config.max_position_embeddings or config.n_positions or 2048,
        tied=tied,
        dtype=config.dtype or config.torch_dtype or weights.dtype,
        weight_bytes=weights.bytes,
        fingerprint=_fingerprint(data, weights),
        chat_template=_has_template(path),
    )


def _config_bytes(path: Path) -> bytes:
    try:
        return (path / "config.json").read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path.name} is not a model folder.",
            f"There is no config.json in {path}.",
            "Choose the folder that holds config.json and the .safetensors files.",
            "Or use the starter model.",
        ) from error


def _decode(data: bytes, path: Path) -> _Config:
    try:
        return msgspec.json.decode(data, type=_Config)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"The config.json of {path.name} cannot be read.",
            f"It is damaged, or holds something unexpected: {error}.",
            "Download the model again.",
            "Choose another model.",
        ) from error


def _check(config: _Config, path: Path) -> None:
    if config.auto_map is not None:
        raise ModelError(
            f"{path.name} wants to run its own program code.",
            "Its config.json has an auto_map: the model comes with Python files that would run on your machine.",
            "Choose a model of an architecture that is built in; nothing of this one was run.",
        )
    architecture = (config.architectures or [""])[0]
    causal = architecture.endswith(("ForCausalLM", "LMHeadModel")) and config.model_type not in ENCODERS
    if config.is_encoder_decoder or not causal:
        raise ModelError(
            f"{path.name} is not a model that continues text.",
            f"Its architecture is {architecture or 'not named'}; what can be tuned here ends in ForCausalLM.",
            "Choose a model for text generation (Llama, Qwen, Mistral, Gemma, SmolLM and the like).",
        )
    if config.quantization_config is not None:
        raise ModelError(
            f"{path.name} is already compressed.",
            "Its weights were quantized when it was published, and adapters trained on them fit nothing else.",
            "Choose the original model: QLoRA compresses it while training.",
        )
    if not (config.hidden and config.heads and config.vocab_size and (config.num_hidden_layers or config.n_layer)):
        raise ModelError(
            f"The config.json of {path.name} is incomplete.",
            "It does not say how wide or deep the model is.",
            "Download the model again.",
            "Choose another model.",
        )


def _fingerprint(config: bytes, weights: Weights) -> str:
    sizes = "".join(f"{name}:{size}\n" for name, size in weights.files)
    return hashlib.sha256(config + sizes.encode()).hexdigest()


class _TokenizerConfig(msgspec.Struct):
    chat_template: str | list[object] | None = None


def _has_template(path: Path) -> bool:
    if (path / "chat_template.jinja").is_file():
        return True
    try:
        found = msgspec.json.decode((path / "tokenizer_config.json").read_bytes(), type=_TokenizerConfig)
    except (OSError, msgspec.MsgspecError):
        return False
    return found.chat_template is not None
