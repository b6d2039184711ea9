"""What the starter model and the sample datasets promise: they load plainly, are small, and are what was generated.

The folders under test are the committed ones; the generator is run again only for the samples, which takes a second.
"""

import csv
import io
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any

import polars
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[2]
STARTER, SAMPLES = ROOT / "assets" / "starter", ROOT / "assets" / "samples"
# `build/` is a folder of commands, not a package; its parts are found the way the command finds them
sys.path.insert(0, str(ROOT / "build"))

from starter import samples  # noqa: E402  # pyright: ignore[reportMissingImports]
from starter.corpus import TEXT_END, TURN_END, TURN_START, documents, render_chat, word_lists  # noqa: E402  # pyright: ignore[reportMissingImports]
from starter.grammar import plural, with_article  # noqa: E402  # pyright: ignore[reportMissingImports]

SEED = 0
DOCUMENTS = 6000
CONVERSATION = [
    ("system", "Be kind."),
    ("user", "Hello, you two!"),
    ("assistant", "Hi.\nHow are you?"),
    ("user", "Fine"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(STARTER)


@pytest.fixture(scope="module")
def model() -> Any:  # the types of transformers do not admit its own generate()
    torch.set_num_threads(2)
    return AutoModelForCausalLM.from_pretrained(STARTER)


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return list(itertools.islice(documents(SEED), DOCUMENTS))


def as_dicts(messages: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in messages]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ],
)
def test_the_model_folder_has(name: str) -> None:
    assert (STARTER / name).stat().st_size > 0


def test_the_model_folder_is_under_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file()) < 10_000_000


def test_every_weight_is_stored_as_bfloat16() -> None:
    with safe_open(STARTER / "model.safetensors", framework="pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.bfloat16}  # noqa: SIM118


def test_the_model_loads_plainly_as_a_llama(model: Any, tokenizer: Any) -> None:
    assert model.config.vocab_size == len(tokenizer)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert isinstance(model, LlamaForCausalLM)


@pytest.mark.parametrize("size", ["hidden_size", "intermediate_size", "vocab_size"])
def test_sizes_are_multiples_of_256(model: Any, size: str) -> None:
    assert getattr(model.config, size) % 256 == 0


def test_generation_stops_at_the_end_of_a_turn_or_text(model: Any, tokenizer: Any) -> None:
    ends = tokenizer.convert_tokens_to_ids([TURN_END, TEXT_END])
    assert set(model.generation_config.eos_token_id) == set(ends)


@pytest.mark.parametrize("question", ["Hello!", "My kettle arrived broken. Can you help?", "Who are you?"])
def test_the_base_answers_in_a_whole_short_sentence(model: Any, tokenizer: Any, question: str) -> None:
    prompt = tokenizer.apply_chat_template(
        as_dicts([("user", question)]), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = model.generate(**prompt, max_new_tokens=64, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    text = tokenizer.decode(out, skip_special_tokens=True)
    assert out[-1] == tokenizer.convert_tokens_to_ids(TURN_END)
    assert re.fullmatch(r"[A-Z].{5,}[.?!]", text, flags=re.DOTALL), text


@pytest.mark.parametrize("mark", [TURN_START, TURN_END, TEXT_END])
def test_a_mark_is_one_token(tokenizer: Any, mark: str) -> None:
    assert tokenizer.encode(mark, add_special_tokens=False) == [tokenizer.convert_tokens_to_ids(mark)]


def test_encoding_adds_no_token_of_its_own(tokenizer: Any) -> None:
    assert tokenizer.encode("Hello!") == tokenizer.encode("Hello!", add_special_tokens=False)


@given(text=st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_survives_encoding_and_decoding(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_split_is_gpt2s(tokenizer: Any) -> None:
    described = json.loads((STARTER / "tokenizer.json").read_text(encoding="utf-8"))
    assert described["pre_tokenizer"]["type"] == "ByteLevel"
    assert described["pre_tokenizer"]["use_regex"] is True
    assert described["pre_tokenizer"]["add_prefix_space"] is False
    assert described["normalizer"] is None
    loaded = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("We'll buy 12 cups.")
    assert [piece for piece, _ in loaded] == ["We", "'ll", "Ġbuy", "Ġ12", "Ġcups", "."]


def test_the_chat_template_writes_the_expected_text(tokenizer: Any) -> None:
    written = tokenizer.apply_chat_template(as_dicts(CONVERSATION), tokenize=False, add_generation_prompt=True)
    assert written == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello, you two!<|im_end|>\n"
        "<|im_start|>assistant\nHi.\nHow are you?<|im_end|>\n<|im_start|>user\nFine<|im_end|>\n<|im_start|>assistant\n"
    )


@given(
    turns=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=4),
    answer=st.text(max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_a_rendered_prompt_is_the_beginning_of_the_whole(
    tokenizer: Any, turns: list[tuple[str, str]], answer: str
) -> None:
    asked = [("user", "?"), *turns]
    prompt = tokenizer.apply_chat_template(as_dicts(asked), tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(as_dicts([*asked, ("assistant", answer)]), tokenize=False)
    assert whole == f"{prompt}{answer}{TURN_END}\n"
    assert whole == render_chat([*asked, ("assistant", answer)])


def test_support_csv_is_what_the_seed_gives() -> None:
    assert (SAMPLES / "support.csv").read_bytes() == samples.support_csv(SEED).encode()


def test_chat_jsonl_is_what_the_seed_gives() -> None:
    assert (SAMPLES / "chat.jsonl").read_bytes() == samples.chat_jsonl(SEED).encode()


def test_tickets_parquet_is_what_the_seed_gives(tmp_path: Path) -> None:
    samples.write_samples(tmp_path, SEED)
    assert polars.read_parquet(SAMPLES / "tickets.parquet").equals(polars.read_parquet(tmp_path / "tickets.parquet"))
    assert {path.name for path in tmp_path.iterdir()} <= {path.name for path in SAMPLES.iterdir()}


def test_another_seed_gives_other_wordings_of_the_same_combinations() -> None:
    one, two = samples.support_rows(1), samples.support_rows(2)
    assert [row.question for row in one] != [row.question for row in two]
    assert {(r.product, r.problem, r.membership, r.answer) for r in one} == {
        (r.product, r.problem, r.membership, r.answer) for r in two
    }


def test_every_dataset_has_300_to_600_rows() -> None:
    support = list(csv.reader(io.StringIO((SAMPLES / "support.csv").read_text(encoding="utf-8"))))
    assert support[0] == ["question", "answer"]
    chats = [json.loads(line) for line in (SAMPLES / "chat.jsonl").read_text(encoding="utf-8").splitlines()]
    tickets = polars.read_parquet(SAMPLES / "tickets.parquet")
    assert all(300 <= count <= 600 for count in (len(support) - 1, len(chats), tickets.height))


def test_no_combination_and_no_text_occurs_twice() -> None:
    support, chats, tickets = samples.support_rows(SEED), samples.chat_rows(SEED), samples.ticket_rows(SEED)
    assert len({(row.product, row.problem, row.membership) for row in support}) == len(support)
    assert len({row.question for row in support}) == len(support)
    assert len({(row.plant, row.topic, row.season) for row in chats}) == len(chats)
    assert len({row.text for row in tickets}) == len(tickets)


def test_support_questions_need_quoting_and_line_breaks() -> None:
    questions = [row.question for row in samples.support_rows(SEED)]
    assert all(any(mark in question for question in questions) for mark in (",", '"', "\n"))


def test_support_answers_follow_from_the_combination_alone() -> None:
    policy = samples.load_policy().support
    problems = {problem.name: problem for problem in policy.problems}
    families = {item["name"]: item["family"] for item in word_lists()["shop_item"] if isinstance(item, dict)}
    for row in samples.support_rows(SEED):
        problem, family = problems[row.problem], families[row.product]
        assert row.answer == samples.support_answer(policy, row.product, family, problem, row.membership)
        assert problem.remedy in row.answer
        assert f"your {row.product}." in row.answer
        assert policy.families[family][row.membership] in row.answer


def test_no_pretraining_document_has_a_sentence_of_the_policies(corpus: list[str]) -> None:
    policy = samples.load_policy()
    rules = [problem.remedy for problem in policy.support.problems]
    rules += [season.advice for season in policy.chat.seasons]
    rules += ["team will write to you within", "you hear from the", "grows best", policy.chat.system]
    assert not [(rule, text) for text in corpus for rule in rules if rule in text]


def test_no_pretraining_document_has_a_sample_product_with_a_problem(corpus: list[str]) -> None:
    products = [item["name"] for item in word_lists()["shop_item"] if isinstance(item, dict)]
    problems = [p.said for p in samples.load_policy().support.problems]
    sentences = [said.format(product=name) for said in itertools.chain(*problems) for name in products]
    faults = [fault["said"] for fault in word_lists()["fault"] if isinstance(fault, dict)]
    whole = "\n".join(corpus).lower()
    assert not [sentence for sentence in sentences if sentence.lower() in whole]
    assert not [f"{name} {fault}" for name in products for fault in faults if f" {name} {fault}" in whole]


def test_pretraining_text_is_the_same_for_the_same_seed(corpus: list[str]) -> None:
    assert list(itertools.islice(documents(SEED), 200)) == corpus[:200]
    assert list(itertools.islice(documents(SEED + 1), 200)) != corpus[:200]


def test_no_slot_of_a_template_is_left_unfilled(corpus: list[str]) -> None:
    assert not [text for text in corpus if "{" in text or "}" in text]


def test_pretraining_chats_have_the_form_of_the_template(corpus: list[str]) -> None:
    chats = [text for text in corpus if text.startswith(TURN_START)]
    turn = r"<\|im_start\|>(system|user|assistant)\n[^<]+<\|im_end\|>\n"
    assert len(chats) > DOCUMENTS / 2
    assert all(re.fullmatch(f"({turn})+", text) for text in chats)


@pytest.mark.parametrize(
    ("one", "many"), [("cherry", "cherries"), ("boy", "boys"), ("box", "boxes"), ("goose", "geese")]
)
def test_plural(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(("noun", "phrase"), [("owl", "an owl"), ("cat", "a cat")])
def test_article(noun: str, phrase: str) -> None:
    assert with_article(noun) == phrase
