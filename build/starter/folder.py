"""Writes the model folder in the form that plain transformers loads; knows nothing of how the weights came about."""

from pathlib import Path

from transformers import GenerationConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import TEXT_END, TURN_END
from .tokenizer import mark_id


def write_folder(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes weights as bfloat16, tokenizer, chat template and generation settings."""
    out.mkdir(parents=True, exist_ok=True)
    text_end, turn_end = mark_id(tokenizer, TEXT_END), mark_id(tokenizer, TURN_END)
    model.generation_config = GenerationConfig(
        eos_token_id=[turn_end, text_end], pad_token_id=text_end, do_sample=False, max_new_tokens=128
    )
    model.bfloat16().save_pretrained(out)
    tokenizer.save_pretrained(out)


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
