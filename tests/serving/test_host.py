"""The model host: one base in memory, adapters switched on it, answers that are those of plain transformers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.core.errors import RunError
from engine.data.nouns import Message
from engine.data.prompting import Prompter
from engine.engine import Engine
from engine.plan.models import starter_path
from engine.serving.host import HostSession
from engine.serving.text import TextStream
from engine.spec.answers import Endpoint
from engine.spec.files import read_struct
from engine.spec.folder import RunFolder
from engine.spec.records import RunState

pytestmark = [pytest.mark.anyio, pytest.mark.worker]
ASKED = (Message("user", "Hello, the lamp I ordered is late."),)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA on the starter model that says something else: random, and far from zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(starter_path(), dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(str(folder))
    return folder


def by_transformers(adapter: Path | None) -> list[int]:
    """The greedy answer as anybody gets it: the tokenizer's own template, generate()."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(starter_path())
    model: Any = AutoModelForCausalLM.from_pretrained(starter_path(), dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter) if adapter else model
    messages = [{"role": "user", "content": ASKED[0].content}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        said = model.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1] :]
    return [int(token) for token in said]


@asynccontextmanager
async def session(home: Path) -> AsyncIterator[tuple[Engine, HostSession]]:
    async with Engine.open(home) as engine:
        opened = await engine.hosts.open(starter_path())
        try:
            yield engine, opened
        finally:
            await opened.close()
            for view in engine.runs.list.value:
                if view.kind == "host" and view.state.active:
                    engine.runs.stop(view.id)


async def answer(host: HostSession, adapter: str | None, count: int = 24) -> str:
    text = ""
    async for token in host.generate(ASKED, adapter=adapter, max_new_tokens=count):
        text += token.text
    return text


async def test_base_and_tuned_answer_side_by_side_as_plain_transformers_does(tmp_path: Path, adapter: Path) -> None:
    prompter = Prompter(starter_path())

    def expected(path: Path | None) -> str:
        ends = prompter.end_tokens
        tokens = by_transformers(path)
        cut = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
        return TextStream(prompter.tokenizer).push(tokens[:cut])

    async with session(tmp_path / "home") as (_engine, host):
        await host.attach("tuned.v1", adapter)
        said: dict[str | None, str] = {}

        async def ask(name: str | None) -> None:
            said[name] = await answer(host, name)

        async with anyio.create_task_group() as group:
            group.start_soon(ask, None)
            group.start_soon(ask, "tuned.v1")
        assert said[None] == expected(None)
        assert said["tuned.v1"] == expected(adapter)
        assert said[None] != said["tuned.v1"]
        assert host.info.value.adapters == ("tuned.v1",)
        assert host.info.value.memory > 50_000_000


async def test_a_second_session_uses_the_same_host_and_a_wrong_key_gets_nothing(tmp_path: Path) -> None:
    async with session(tmp_path / "home") as (engine, host):
        folder = RunFolder(engine.home.runs / next(v.id for v in engine.runs.list.value if v.kind == "host"))
        again = await engine.hosts.open(starter_path())
        assert await answer(again, None, 8) == await answer(host, None, 8)
        assert [view.kind for view in engine.runs.list.value].count("host") == 1
        with pytest.raises(RunError, match="could not answer"):
            await answer(host, "nobody")
        endpoint = read_struct(folder.endpoint_file, Endpoint)
        async with await anyio.connect_tcp("127.0.0.1", endpoint.port) as stranger:
            await stranger.send(b'{"op":"hello","key":"guess"}\n{"op":"cancel","id":"x"}\n')
            with pytest.raises(anyio.EndOfStream):
                await stranger.receive()


async def test_an_idle_host_leaves_memory(tmp_path: Path) -> None:
    import msgspec

    async with Engine.open(tmp_path / "home") as engine:
        engine.save_settings(msgspec.structs.replace(engine.settings.value, idle_host_seconds=5))
        host = await engine.hosts.open(starter_path())
        with anyio.fail_after(60):
            async for views in engine.runs.list.watch():
                if views[0].state is RunState.COMPLETED:
                    break
        with pytest.raises(RunError, match="left memory"):
            await answer(host, None)


def test_a_character_of_several_tokens_is_handed_out_once_and_whole() -> None:
    prompter = Prompter(starter_path())
    words = "naïve 🙂 日本"
    ids = prompter.tokenizer.encode(words, add_special_tokens=False).ids
    stream = TextStream(prompter.tokenizer)
    pieces = [stream.push([token]) for token in ids]
    assert "".join(pieces) == words
    assert all("\ufffd" not in piece for piece in pieces)
