"""Makes the starter model's tokenizer: byte-level BPE with GPT-2's split, trained on generated text.

Every byte is in the vocabulary, so any text survives encoding and decoding. It knows nothing of the model.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .corpus import TEXT_END, TURN_END, TURN_START

SPECIALS = [TEXT_END, TURN_START, TURN_END]
TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def mark_id(tokenizer: PreTrainedTokenizerFast, mark: str) -> int:
    """The id of a mark that is one token."""
    index = tokenizer.convert_tokens_to_ids(mark)
    assert isinstance(index, int)
    return index


def train_tokenizer(texts: Iterable[str], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Learns merges until the vocabulary has the given size, marks and all 256 bytes included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TEXT_END,
        pad_token=TEXT_END,
        additional_special_tokens=[TURN_START, TURN_END],
        clean_up_tokenization_spaces=False,
        model_max_length=context,
    )
    wrapped.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return wrapped
