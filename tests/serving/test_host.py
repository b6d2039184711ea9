"""The model host: one base in memory, adapters switched on it, answers that are those of plain transformers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import msgspec
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import RunError
from engine.data.nouns import Message
from engine.data.prompting import Prompter
from engine.engine import Engine
from engine.plan import hosting
from engine.plan.models import read_base_model, starter_path
from engine.serving.host import HostSession
from engine.serving.text import StopWords, TextStream
from engine.spec.answers import Answering, Endpoint, Said
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
    async for token in host.generate(ASKED, adapter=adapter, answering=Answering(max_new_tokens=count)):
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


async def test_a_stop_word_ends_an_answer_and_a_repetition_penalty_changes_it(tmp_path: Path) -> None:
    async with session(tmp_path / "home") as (_engine, host):
        whole = await answer(host, None, 16)
        stop = whole[len(whole) // 2 :][:3]
        pieces = [token async for token in host.generate(ASKED, answering=Answering(max_new_tokens=16, stop=(stop,)))]
        assert "".join(piece.text for piece in pieces) == whole[: whole.index(stop)]
        assert (pieces[-1].done, pieces[-1].ended) == (True, "stop")
        cut = [token async for token in host.generate(ASKED, answering=Answering(max_new_tokens=3))]
        assert (cut[-1].ended, cut[-1].tokens) == ("length", 3)
        other = host.generate(ASKED, answering=Answering(max_new_tokens=16, repetition_penalty=1.5))
        assert "".join([token.text async for token in other]) != whole


class Lines:
    """A connection that brings these lines, then ends."""

    def __init__(self, *said: Said) -> None:
        self._lines = [msgspec.json.encode(each) + b"\n" for each in said]

    async def receive(self, _most: int = 0) -> bytes:
        if not self._lines:
            raise anyio.EndOfStream
        return self._lines.pop(0)


async def test_a_line_for_a_reader_who_has_just_left_does_not_end_the_session(tmp_path: Path) -> None:
    connection: Any = Lines(Said(id="left", tokens=[1]), Said(id="there", tokens=[2], done=True))
    host = HostSession("m", connection, None, 100)  # type: ignore[arg-type]
    gone, left = anyio.create_memory_object_stream[Said](10)
    there, heard = anyio.create_memory_object_stream[Said](10)
    left.close()
    host._answers |= {"left": gone, "there": there}
    await host.serve()
    assert (await heard.receive()).tokens == [2]
    with pytest.raises(RunError):  # the connection is over now, and whoever asks is told so at once
        await host.attach("late", tmp_path)
    gone.close()
    there.close()
    heard.close()


async def test_answers_that_are_left_in_the_middle_hold_up_no_other(tmp_path: Path) -> None:
    async with session(tmp_path / "home") as (_engine, host):
        whole = await answer(host, None, 8)
        with anyio.fail_after(60):
            for left in range(40):
                async with aclosing(host.generate(ASKED, answering=Answering(max_new_tokens=64))) as tokens:
                    for _ in range(1 + left % 3):
                        await anext(tokens)
            assert await answer(host, None, 8) == whole
        assert host.open


async def test_earlier_turns_that_do_not_fit_are_left_out_and_a_question_that_does_not_fit_is_refused(
    tmp_path: Path,
) -> None:
    async with session(tmp_path / "home") as (_engine, host):
        said = (*ASKED, Message("assistant", "It is on its way."))
        short = Answering(max_new_tokens=2)
        last = [token async for token in host.generate((*said * 200, *ASKED), answering=short)][-1]
        assert 100 < last.forgotten < 200
        with pytest.raises(RunError, match="longer than the model can read"):
            await anext(host.generate((Message("user", "plum " * 9000),), answering=short))


async def test_a_host_that_is_killed_in_the_middle_is_said_and_a_new_one_answers_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = HostSession._ask  # an answer that does not end by itself is surely killed in its middle
    monkeypatch.setattr(HostSession, "_ask", lambda *given: msgspec.structs.replace(asked(*given), end_tokens=[]))
    async with Engine.open(tmp_path / "home") as engine:
        version = SimpleNamespace(
            id="v", title="V", model="starter", model_path=str(starter_path()), profile="", whole=False
        )
        talk = engine.playground.begin(version)  # type: ignore[arg-type]
        await talk.speak(talk.conversation.value.speakers[:1])
        talk.set(answering=Answering(max_new_tokens=2000, repetition_penalty=1.3))
        await talk.ask(ASKED[0].content)
        turn = talk.conversation.value.turns[0].id
        with anyio.fail_after(60):
            while not talk.streams.value[turn, "base"].value.text:
                await anyio.sleep(0.02)
        run = next(view.id for view in engine.runs.list.value if view.kind == "host")
        launch = RunFolder(engine.home.runs / run).launch()
        assert launch is not None
        psutil.Process(launch.pid).kill()
        with anyio.fail_after(20):
            async for busy in talk.busy.watch():
                if not busy:
                    break
        [reply] = talk.conversation.value.turns[0].replies
        assert reply.ended == "failed" and reply.text and "left memory" in reply.problem
        talk.set(answering=Answering(max_new_tokens=8))
        await talk.again(turn, failed_only=True)
        with anyio.fail_after(60):
            async for busy in talk.busy.watch():
                if not busy:
                    break
        [reply] = talk.conversation.value.turns[0].replies
        assert reply.text and reply.ended in ("end", "length")
        assert reply.first_token_seconds > 0 and reply.tokens_per_second > 0
        for view in engine.runs.list.value:
            if view.kind == "host" and view.state.active:
                engine.runs.stop(view.id)
    async with Engine.open(tmp_path / "home") as engine:
        [kept] = await engine.playground.kept.all()
        assert kept.turns[0].replies == (reply,)


@pytest.mark.parametrize(("kind", "held"), [("int8", "8 bits"), ("nf4", "4 bits")])
async def test_where_memory_is_short_a_model_is_held_in_fewer_bits_and_says_so(
    tmp_path: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, kind: hosting.Quantization, held: str
) -> None:
    pytest.importorskip("bitsandbytes")
    model = read_base_model(starter_path())
    monkeypatch.setattr(
        hosting, "memory_budget", lambda hardware: hosting.memory_for(model, hardware, "bf16", kind)
    )  # just enough for this
    async with session(tmp_path / "home") as (_engine, host):
        assert host.info.value.held == held
        await host.attach("tuned.v1", adapter)
        assert host.info.value.held == held
        said = {await answer(host, None, 6), await answer(host, "tuned.v1", 6)}
        assert len(said) == 2 and "" not in said


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


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ab#", max_size=4), max_size=8), st.lists(st.text("ab#", min_size=1, max_size=3), max_size=3))
def test_text_up_to_the_first_stop_word_comes_through_however_it_is_cut(pieces: list[str], words: list[str]) -> None:
    stops = StopWords(words)
    said = ""
    for piece in pieces:
        said += stops.push(piece)
    said += stops.rest()
    whole, read = "".join(pieces), ""
    for letter in whole:  # a stream's reader stops where a word is first complete
        read += letter
        if found := [place for word in words if (place := read.find(word)) >= 0]:
            assert stops.met
            assert len(said) <= min(found) and read.startswith(said)
            return
    assert said == whole and not stops.met
