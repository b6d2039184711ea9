"""Models, data and machines of the plan tests."""

from __future__ import annotations

from engine.plan.facts import DataFacts
from engine.plan.hardware import Gpu, Hardware
from engine.plan.models import BaseModel

GB = 10**9


def model(
    parameters: int = 3_934_464,
    hidden: int = 256,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 4,
    mlp: int = 768,
    vocabulary: int = 2048,
    *,
    tied: bool = True,
    context: int = 512,
) -> BaseModel:
    """A model of the Llama shape; the starter's measures unless told otherwise."""
    return BaseModel(
        path="/models/one",
        name="one",
        architecture="LlamaForCausalLM",
        model_type="llama",
        parameters=parameters,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=hidden // heads,
        mlp=mlp,
        experts=0,
        experts_used=0,
        vocabulary=vocabulary,
        context=context,
        tied=tied,
        dtype="bfloat16",
        weight_bytes=parameters * 2,
        fingerprint="f" * 64,
        chat_template=True,
        findings=(),
    )


STARTER = model()
LLAMA_2_7B = model(6_738_000_000, 4096, 32, 32, 32, 11008, 32000, tied=False, context=4096)
LLAMA_3_8B = model(8_030_000_000, 4096, 32, 32, 8, 14336, 128256, tied=False, context=8192)
LLAMA_3_3B = model(3_213_000_000, 3072, 28, 24, 8, 8192, 128256, context=8192)
QWEN_7B = model(7_721_000_000, 4096, 32, 32, 32, 11008, 151936, tied=False, context=8192)
QWEN_14B = model(14_167_000_000, 5120, 40, 40, 40, 13696, 152064, tied=False, context=8192)
LLAMA_3_70B = model(70_554_000_000, 8192, 80, 64, 8, 28672, 128256, tied=False, context=8192)


def data(rows: int = 384, *, longest: int = 88, prepared_length: int = 512, trained: float = 0.5) -> DataFacts:
    """A dataset whose rows have 64 tokens on average, a fifth of them held out."""
    tokens = rows * min(64, longest)
    return DataFacts(
        dataset="d1",
        name="support",
        hash="a" * 64,
        prepared="p1",
        prepared_length=prepared_length,
        rows=rows,
        tokens=tokens,
        trained_tokens=max(1, round(tokens * trained)),
        longest=longest,
        truncated=0,
        dropped=0,
        validation_rows=rows // 4,
        validation_tokens=tokens // 4,
    )


def machine(
    gpu_memory: float = 0, *, memory: float = 16, capability: float = 8.9, name: str = "NVIDIA GeForce RTX 4090"
) -> Hardware:
    """Two cores and 16 GB, with a card of so many GB or none."""
    size = int(gpu_memory * GB)
    card = Gpu(name=name, memory_total=size, memory_free=size, capability=capability, driver="570")
    return Hardware(
        gpus=(card,) if gpu_memory else (),
        cpu="a processor",
        cores=2,
        threads=2,
        memory_total=int(memory * GB),
        memory_free=int(memory * GB),
        disk_free=100 * GB,
        bf16=False,
        on_battery=None,
    )
