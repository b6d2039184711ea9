"""Ask the model in this folder: `python generate.py "Your question"`. Install requirements.txt first."""

import sys
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
LONGEST_ANSWER = 256


def load() -> tuple[Any, Any]:
    """The model and its tokenizer; where the adapter was not merged, the base with the adapter on it."""
    tokenizer = AutoTokenizer.from_pretrained(HERE / "model")
    if not (HERE / "base").exists():
        return AutoModelForCausalLM.from_pretrained(HERE / "model"), tokenizer
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(HERE / "base")
    return PeftModel.from_pretrained(base, HERE / "model"), tokenizer


def answer(question: str, length: int = LONGEST_ANSWER) -> str:
    """The likeliest answer, word by word."""
    model, tokenizer = load()
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        tokens = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    else:
        tokens = tokenizer(question, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    said = model.generate(**tokens, max_new_tokens=length, do_sample=False)
    return tokenizer.decode(said[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True).strip()


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(answer(" ".join(sys.argv[1:]) or "Hello!"))
