"""`config.json` of a model in its old and new spellings: the numbers planning needs, and what had to be assumed.

Everything else in the file is passed over. No code of the model is run. Knows nothing of weights.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.core.errors import ModelError
from engine.data.nouns import Finding
from engine.plan.layers import Family, family_of, known_type

ENCODERS = ("bert", "roberta", "albert", "electra", "deberta", "distilbert", "xlm-roberta", "camembert", "modernbert")
ASSUMED_CONTEXT = 2048


class Config(msgspec.Struct, frozen=True):
    """What a config.json may say. Numbers it does not give are None."""

    architectures: tuple[str, ...] | None = None
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
    num_kv_heads: int | None = None
    multi_query: bool | None = None
    head_dim: int | None = None
    kv_channels: int | None = None
    intermediate_size: int | None = None
    n_inner: int | None = None
    ffn_dim: int | None = None
    moe_intermediate_size: int | None = None
    num_local_experts: int | None = None
    num_experts: int | None = None
    num_experts_per_tok: int | None = None
    vocab_size: int = 0
    max_position_embeddings: int | None = None
    n_positions: int | None = None
    seq_length: int | None = None
    tie_word_embeddings: bool | None = None
    dtype: str | None = None
    torch_dtype: str | None = None

    @property
    def architecture(self) -> str:
        """The class that the model was made for, or ""."""
        return (self.architectures or ("",))[0]

    @property
    def family(self) -> Family:
        """How its blocks are built."""
        return family_of(self.model_type)

    @property
    def hidden(self) -> int:
        """Width of the stream; 0 when not given."""
        return self.hidden_size or self.n_embd or self.d_model or 0

    @property
    def layers(self) -> int:
        """Blocks; 0 when not given."""
        return self.num_hidden_layers or self.n_layer or 0

    @property
    def heads(self) -> int:
        """Attention heads; 0 when not given."""
        return self.num_attention_heads or self.n_head or 0

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values: as many as queries, where nothing else is said."""
        return self.num_key_value_heads or self.num_kv_heads or (1 if self.multi_query else self.heads)

    @property
    def head_width(self) -> int:
        """Numbers in one head."""
        return self.head_dim or self.kv_channels or self.hidden // max(1, self.heads)

    @property
    def mlp(self) -> int:
        """Inner width of the feed-forward part (of one expert, where there are several)."""
        given = self.moe_intermediate_size if self.experts else None
        given = given or self.intermediate_size or self.n_inner or self.ffn_dim or 4 * self.hidden
        return int(given * self.family.mlp_share)

    @property
    def experts(self) -> int:
        """Feed-forward parts beside each other; 0 for a dense model."""
        return self.num_local_experts or self.num_experts or 0

    @property
    def context(self) -> int:
        """Longest text in tokens."""
        return self.max_position_embeddings or self.n_positions or self.seq_length or ASSUMED_CONTEXT

    @property
    def precision(self) -> str:
        """Number format of the weights as published, or ""."""
        return (self.dtype or self.torch_dtype or "").removeprefix("torch.")

    def tied(self, has_head: bool | None) -> bool:
        """Whether the output layer is the token table; `has_head`: the weights hold one, if that is known."""
        if self.tie_word_embeddings is not None:
            return self.tie_word_embeddings
        return self.family.tied if has_head is None else not has_head


def read_config(file: Path) -> tuple[bytes, Config]:
    """The file's bytes and what they say. Raises ModelError when it is missing or damaged."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file.parent.name} is not a model folder.",
            f"There is no {file.name} in {file.parent}.",
            "Choose the folder that holds config.json and the .safetensors files.",
            "Or use the starter model.",
        ) from error
    try:
        return data, msgspec.json.decode(data, type=Config)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(
            f"The config.json of {file.parent.name} cannot be read.",
            f"It is damaged, or holds something unexpected: {error}.",
            "Download the model again.",
            "Choose another model.",
        ) from error


def refuse_other_kinds(config: Config, name: str) -> None:
    """Raise ModelError for what does not continue text, and for a config.json without the numbers needed."""
    causal = config.architecture.endswith(("ForCausalLM", "LMHeadModel")) and config.model_type not in ENCODERS
    if config.is_encoder_decoder or not causal:
        raise ModelError(
            f"{name} is not a model that continues text.",
            f"Its architecture is {config.architecture or 'not named'}; what can be tuned here ends in ForCausalLM.",
            "Choose a model for text generation (Llama, Qwen, Mistral, Gemma, SmolLM and the like).",
        )
    given = {
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "vocab_size": config.vocab_size,
    }
    missing = [each for each, value in given.items() if value <= 0]
    if missing:
        raise ModelError(
            f"The config.json of {name} is incomplete.",
            f"It does not say how wide or deep the model is: {', '.join(missing)} is missing.",
            "Download the model again.",
            "Choose another model.",
        )


def refuse_unusable(config: Config, name: str) -> None:
    """Raise ModelError for models that cannot be trained here: remote code, or weights that are already compressed."""
    if config.auto_map is not None:
        raise ModelError(
            f"{name} wants to run its own program code.",
            "Its config.json has an auto_map: the model comes with Python files that would run on your machine.",
            "Choose a model of an architecture that is built in; nothing of this one was run.",
        )
    if config.quantization_config is not None:
        raise ModelError(
            f"{name} is already compressed.",
            "Its weights were quantized when it was published, and adapters trained on them fit nothing else.",
            "Choose the original model: QLoRA compresses it while training.",
        )


def config_findings(config: Config) -> tuple[Finding, ...]:
    """What of a config.json had to be assumed, and what else about it is worth knowing."""
    found: list[Finding] = []
    if not known_type(config.model_type):
        found.append(
            Finding(
                level="warning",
                what=f"The architecture {config.architecture or config.model_type} is not one that is known here.",
                why="Memory and time are worked out as if its blocks were built like Llama's; most are.",
                fix="Leave the target modules at all-linear, which fits every architecture.",
            )
        )
    if config.experts:
        found.append(
            Finding(
                level="info",
                what=f"The model has {config.experts} experts in each block.",
                why="All of them take memory, a few work on each token, and adapters go on the attention layers only.",
                fix="Nothing needs to be done.",
            )
        )
    found += [_assumed(*each) for each in _missing(config)]
    return tuple(found)


def _missing(config: Config) -> list[tuple[str, str]]:
    pairs = [
        (config.intermediate_size or config.n_inner or config.ffn_dim, ("intermediate_size", f"{config.mlp:,}")),
        (
            config.max_position_embeddings or config.n_positions or config.seq_length,
            ("max_position_embeddings", f"{config.context:,} tokens"),
        ),
    ]
    return [words for given, words in pairs if not given and not (words[0] == "intermediate_size" and _usual(config))]


def _usual(config: Config) -> bool:
    """These architectures leave the inner width out when it is four times the stream's."""
    return config.family.name in ("gpt2", "gpt_neox", "gpt_neo", "gptj")


def _assumed(name: str, value: str) -> Finding:
    return Finding(
        level="warning",
        what=f"The model's config.json does not give {name}.",
        why=f"{value} is assumed, which is usual.",
        fix="If the model's page says otherwise, add the number to config.json.",
    )
