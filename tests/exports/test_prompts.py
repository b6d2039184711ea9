"""How a trained model is prompted: held-out rows as probes, and templates taken apart for Ollama's language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.nouns import Message
from engine.data.template import ChatTemplate
from engine.data.tokenizer import ModelTokenizer
from engine.results.export_prompts import pieces_of, prompts_for, said_by
from engine.spec.exports import Pieces, Probe, Prompting, Turn
from engine.worker.exporting.modelfile import Modelfile, Sampling, modelfile
from engine.worker.fault import Fault
from tests.data.fixtures import CHATML, LLAMA_3, THINKING, TRIMMING, make_model
from tests.exports.made import WITH_BEGIN

QWEN = "{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\nYou help.<|im_end|>\n' }}{%- endif %}" + CHATML
MERGING = (
    "{%- if messages[0].role == 'system' %}{%- set first = messages[0].content + '\n\n' %}"
    "{%- set rest = messages[1:] %}"
    "{%- else %}{%- set first = '' %}{%- set rest = messages %}{%- endif %}"
    "{%- for m in rest %}{{- '<start>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{%- if loop.first %}{{- first }}{%- endif %}{{- m.content + '<end>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<start>model\n' }}{%- endif %}"
)


def pieces(template: str) -> Pieces | None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = make_model(Path(place) / "model", template)
        return pieces_of(ChatTemplate(template, ModelTokenizer(folder)))


def test_chatml_is_taken_apart() -> None:
    assert pieces(CHATML) == Pieces(
        begin="",
        system=("<|im_start|>system\n", "<|im_end|>\n"),
        user=("<|im_start|>user\n", "<|im_end|>\n"),
        assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
        answer="<|im_start|>assistant\n",
    )


def test_a_default_system_prompt_stands_only_where_none_is_given() -> None:
    found = pieces(QWEN)
    assert found
    assert found.begin == "<|im_start|>system\nYou help.<|im_end|>\n"
    assert found.system == ("<|im_start|>system\n", "<|im_end|>\n")


def test_a_begin_token_stands_once_at_the_beginning() -> None:
    found = pieces(WITH_BEGIN)
    assert found
    assert found.begin == "<|begin_of_text|>"
    assert found.system and found.system[0].startswith("<|begin_of_text|>")


def test_a_system_turn_inside_the_users_is_left_out() -> None:
    found = pieces(MERGING)
    assert found
    assert found.system is None
    assert found.user == ("<start>user\n", "<end>\n")


@pytest.mark.parametrize(
    "template", [LLAMA_3, TRIMMING, MERGING, QWEN, CHATML], ids=["llama3", "trim", "merge", "qwen", "chatml"]
)
def test_what_is_taken_apart_says_the_same(template: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", template)
    whole = ChatTemplate(template, ModelTokenizer(folder))
    found = pieces_of(whole)
    assert found
    talk = [Message("user", "One?"), Message("assistant", "Two."), Message("user", "Three?")]
    assert said_by(found, talk) == whole.render(talk, add_generation_prompt=True)


def test_a_template_that_changes_earlier_turns_says_so_or_says_the_same() -> None:
    numbered = WITH_BEGIN.replace("message['role'] +", "message['role'] + loop.index|string +")
    assert pieces(numbered) is None
    late = WITH_BEGIN.replace("{%- endfor -%}", "{{- '!' if loop.index > 4 else '' -}}{%- endfor -%}")
    assert pieces(late) is None  # only a longer conversation shows it
    assert pieces(
        THINKING.replace(
            "{%- endfor %}", "{%- endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}"
        )
    )


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
edges = st.text(st.sampled_from(list('<|>"\\ \n{}%.ü🙂$`a')), max_size=12)
around = st.tuples(edges, edges)


@given(
    st.builds(Pieces, begin=edges, system=st.none() | around, user=around, assistant=around, answer=edges),
    st.lists(words, min_size=1, max_size=4),
    words.filter(bool) | st.none(),
)
def test_a_modelfile_says_what_the_pieces_say(made: Pieces, said: list[str], system: str | None) -> None:
    prompting = msgspec.structs.replace(PLAIN, pieces=made, end_texts=('<|"end"\\|>',))
    try:
        read = Modelfile(modelfile("a.gguf", prompting, Sampling(), 512))
    except Fault as fault:
        assert "three quotes" in fault.card.why
        return
    roles = ["user" if number % 2 == 0 else "assistant" for number in range(len(said))]
    talk = [Message(role, content) for role, content in zip(roles, said, strict=True)]  # type: ignore[arg-type]
    if system is not None and made.system:
        talk = [Message("system", system), *talk]
    turns = tuple(Turn(role=each.role, content=each.content) for each in talk)
    assert read.render(Probe(turns=turns, text="", tokens=())) == said_by(made, talk)
    assert read.stops == ['<|"end"\\|>'] and read.source == "./a.gguf"


PLAIN = Prompting(template="x", end_tokens=(2,), end_texts=(), pieces=None, adds_bos=False, frozen_date=False)


def test_parameters_are_the_models_own() -> None:
    assert Sampling().parameters() == {"temperature": 0.0}
    warm = Sampling(do_sample=True, temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.1)
    assert warm.parameters() == {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repeat_penalty": 1.1}


def rows_file(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    lines = [json.dumps({"split": "validation", "line": 1, **row}) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_probes_are_held_out_rows_up_to_their_last_answer(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", CHATML)
    talk = [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "Soon."}]
    tool = [{"role": "user", "content": "Use it."}, {"role": "tool", "content": "1"}]
    data = rows_file(tmp_path / "data", [{"messages": talk}, {"messages": tool}, {"messages": talk, "split": "train"}])
    found = prompts_for(model, data, "How?", 512)
    assert [probe.turns[-1].content for probe in found.probes] == ["When?", "How?"]
    assert found.probes[0].text == "<|im_start|>user\nWhen?<|im_end|>\n<|im_start|>assistant\n"
    assert found.prompting.end_texts[0] == "<|im_end|>"


def test_without_its_data_the_use_cases_example_is_asked(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", CHATML)
    found = prompts_for(model, tmp_path / "gone", "How?", 512)
    assert [probe.turns[0].content for probe in found.probes] == ["How?"]


def test_plain_text_is_asked_bare_with_the_begin_token_that_training_had(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", CHATML)
    data = rows_file(tmp_path / "data", [{"text": "Once upon a time there was a lamp."}])
    found = prompts_for(model, data, "How?", 512)
    assert found.prompting.template == "" and found.prompting.pieces is None
    assert found.probes[0].turns == ()
    assert found.probes[0].text.startswith("Once upon")
