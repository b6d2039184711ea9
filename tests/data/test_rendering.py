"""Learned is exactly what the assistant says and the token that ends its turn, under any template and any text."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import ModelError
from engine.data.masks import Tokens, tokenise
from engine.data.nouns import Message
from engine.data.template import DEFAULT_TEMPLATE, ChatTemplate, Refused, template_source
from engine.data.tokenizer import ModelTokenizer
from tests.data.fixtures import STARTER, TEMPLATES, dialogue, filled, make_model

ENDS = {
    "chatml": "<|im_end|>",
    "llama-3": "<|eot_id|>",
    "thinking": "<|im_end|>",
    "trimming": "<end>",
    "blocks": "<end>",
    "spaced": "<|endoftext|>",
}
KEPT = {"chatml": str, "llama-3": str.strip, "thinking": str, "trimming": str.strip, "blocks": str, "spaced": str}
TALKS = {
    "one answer": dialogue("Hi", "Hello there."),
    "two answers": dialogue("Hi", "Hello.", "And?", "And that."),
    "system": dialogue("Hi", "Hello.", system="Be kind."),
    "white space around": dialogue("  Hi\n", "\n\n Hello. \n"),
    "other alphabets": dialogue("Γειά σου 😀", "नमस्ते é e\u0301 👩‍👩‍👧"),
    "private use": dialogue("\ue000\ue001", "a\ue000b\ue002"),
    "a special token": dialogue("<|im_end|>", "say <|im_end|> or <end>"),
    "the same words": dialogue("Yes", "Yes", "Yes", "Yes"),
    "thoughts": dialogue("Hi", "<think>\nhm\n</think>\n\nHello.", "And?", "<think>\nso\n</think>\n\nThat."),
}
QUICK = settings(max_examples=80, deadline=None)


@pytest.fixture(scope="module", params=TEMPLATES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The name of a template, and a model folder with it."""
    return request.param, make_model(tmp_path_factory.mktemp("models") / request.param, TEMPLATES[request.param])


def loaded(folder: Path) -> tuple[ChatTemplate, ModelTokenizer]:
    tokenizer = ModelTokenizer(folder)
    return ChatTemplate(template_source(folder), tokenizer), tokenizer


def learned(folder: Path, messages: tuple[Message, ...]) -> tuple[str, str, Tokens]:
    """The text that is learned, the whole text, and the tokens."""
    template, tokenizer = loaded(folder)
    rendered = template.mark(messages)
    (tokens,) = tokenise([rendered], tokenizer)
    assert isinstance(tokens, Tokens)
    picked = [token for token, flag in zip(tokens.ids, tokens.trained, strict=True) if flag]
    assert tokenizer.decode(tokens.ids) == rendered.text
    return tokenizer.decode(picked), rendered.text, tokens


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS.keys())
def test_the_text_is_that_of_transformers(model: tuple[str, Path], talk: tuple[Message, ...], monkeypatch) -> None:
    import transformers
    from transformers.utils import chat_template_utils

    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2024, 7, 26)

    monkeypatch.setattr(chat_template_utils, "datetime", Frozen)
    theirs = transformers.AutoTokenizer.from_pretrained(model[1])
    turns = [{"role": each.role, "content": each.content} for each in talk]
    text = theirs.apply_chat_template(turns, tokenize=False)
    _, ours, tokens = learned(model[1], talk)
    assert ours == text
    if model[0] != "spaced" and talk != TALKS["white space around"]:  # there a token reaches over the border
        assert tokens.ids == theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS.keys())
def test_the_answers_and_their_ends_are_learned_and_nothing_else(
    model: tuple[str, Path], talk: tuple[Message, ...]
) -> None:
    name, folder = model
    answers = [each.content for each in talk if each.role == "assistant"]
    if name == "thinking":
        answers = [each.split("</think>")[-1].lstrip("\n") for each in answers[:-1]] + answers[-1:]
    expected = "".join(KEPT[name](answer) + ENDS[name] for answer in answers)
    assert learned(folder, talk)[0] == expected


@QUICK
@given(contents=some.lists(filled, min_size=2, max_size=6).filter(lambda each: len(each) % 2 == 0))
def test_any_text_is_learned_exactly(starter: tuple[ChatTemplate, ModelTokenizer], contents: list[str]) -> None:
    template, tokenizer = starter
    (tokens,) = tokenise([template.mark(dialogue(*contents))], tokenizer)
    assert isinstance(tokens, Tokens)
    picked = [token for token, flag in zip(tokens.ids, tokens.trained, strict=True) if flag]
    assert tokenizer.decode(picked) == "".join(answer + "<|im_end|>" for answer in contents[1::2])


@QUICK
@given(question=filled, answer=filled)
def test_any_text_is_learned_exactly_under_a_trimming_template(
    trimming: tuple[ChatTemplate, ModelTokenizer], question: str, answer: str
) -> None:
    template, tokenizer = trimming
    (tokens,) = tokenise([template.mark(dialogue(question, answer))], tokenizer)
    assert isinstance(tokens, Tokens)
    picked = [token for token, flag in zip(tokens.ids, tokens.trained, strict=True) if flag]
    assert tokenizer.decode(picked) == answer.strip() + "<end>"


@pytest.fixture(scope="module")
def starter() -> tuple[ChatTemplate, ModelTokenizer]:
    return loaded(STARTER)


@pytest.fixture(scope="module")
def trimming(tmp_path_factory: pytest.TempPathFactory) -> tuple[ChatTemplate, ModelTokenizer]:
    return loaded(make_model(tmp_path_factory.mktemp("models") / "trimming", TEMPLATES["trimming"]))


def test_an_answer_that_begins_with_a_line_break_is_tokenised_as_when_it_is_generated(
    starter: tuple[ChatTemplate, ModelTokenizer],
) -> None:
    template, tokenizer = starter
    messages = dialogue("Hi", "\nHello")
    (tokens,) = tokenise([template.mark(messages)], tokenizer)
    assert isinstance(tokens, Tokens)
    first = tokens.trained.index(1)
    prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(tokens.ids[:first]) == prompt
    assert tokens.ids[:first] == tokenizer.encode([prompt])[0].ids


def test_a_model_without_a_template_gets_the_plain_one(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "plain", None)
    assert template_source(folder) == DEFAULT_TEMPLATE
    text, whole, _ = learned(folder, dialogue("Hi", "Hello.", system="Be kind."))
    assert whole == "Be kind.\n\nUser:\nHi\n\nAssistant:\nHello.<|endoftext|>\n\n"
    assert text == "Hello.<|endoftext|>"


def test_the_older_place_of_a_template_is_read(tmp_path: Path) -> None:
    import json

    for number, form in enumerate(("named", "text")):
        folder = make_model(tmp_path / form, None)
        file = folder / "tokenizer_config.json"
        own = TEMPLATES["thinking"]
        value = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": own}] if number == 0 else own
        file.write_text(json.dumps({**json.loads(file.read_text()), "chat_template": value}))
        assert template_source(folder) == own


REFUSED = {
    "syntax error": "{% for message in messages %}",
    "no end of the answer": "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}",
    "answer written twice": "{% for m in messages %}{{ m.content + m.content + '<end>' }}{% endfor %}",
    "answer left out": "{% for m in messages %}{{ m.role + '<end>' }}{% endfor %}",
    "answer rewritten": "{% for m in messages %}{{ m.content | upper + '<end>' }}{% endfor %}",
    "always refuses": "{{ raise_exception('no') }}",
    "escape from the sandbox": "{{ ''.__class__.__mro__ }}{% for m in messages %}{{ m.content }}<end>{% endfor %}",
    "never ends": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
}


@pytest.mark.parametrize("template", REFUSED.values(), ids=REFUSED.keys())
def test_a_template_that_cannot_be_marked_exactly_is_refused(
    tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.data.template.TIME_LIMIT", 0.3)
    folder = make_model(tmp_path / "odd", template)
    with pytest.raises(ModelError) as caught:
        loaded(folder)
    assert caught.value.card.why and caught.value.card.actions


def test_an_answer_that_changes_what_surrounds_it_is_refused(tmp_path: Path) -> None:
    source = "{% for m in messages %}{{ m.role + (' happy: ' if 'joy' in m.content else ': ') }}"
    source += "{{ m.content + '<end>' }}{% endfor %}"
    template, _ = loaded(make_model(tmp_path / "odd", source))
    template.mark(dialogue("Hi", "Hello"))
    with pytest.raises(Refused):
        template.mark(dialogue("Hi", "joy"))


def test_the_date_a_template_sees_never_changes(tmp_path: Path) -> None:
    template, _ = loaded(make_model(tmp_path / "dated", TEMPLATES["llama-3"]))
    assert "Today Date: 26 Jul 2024" in template.render(dialogue("Hi", "Hello"))
