"""The same rows through TRL's SFTTrainer (https://github.com/huggingface/trl): the yardstick of training speed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue, reportPrivateImportUsage]

from engine.spec.runspec import Training


def train(
    model: Path, rows: list[list[int]], numbers: Training, place: Path, *, packed: bool, in_order: bool = False
) -> tuple[float, list[float], Any]:
    """Real tokens a second after the first step, the loss of each step, and the trained model.

    Packed rows are 512 tokens long, so there are fewer steps. `in_order` takes the rows as they come, unshuffled.
    """
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback

    class Clock(TrainerCallback):
        started = 0.0

        def on_step_end(self, _args: Any, state: Any, *_rest: Any, **_more: Any) -> None:
            if state.global_step == 1:
                Clock.started = time.perf_counter()

    flags = [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) for row in rows]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=_config(numbers, place, packed=packed, in_order=in_order),
        train_dataset=Dataset.from_dict({"input_ids": rows, "completion_mask": flags}),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
        callbacks=[Clock()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    seconds = time.perf_counter() - Clock.started
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    tokens = sum(len(row) for row in rows) * numbers.epochs * (1 - 1 / len(losses))
    return tokens / seconds, losses, trainer.model


def _config(numbers: Training, place: Path, *, packed: bool, in_order: bool) -> SFTConfig:
    return SFTConfig(
        output_dir=str(place),
        per_device_train_batch_size=numbers.batch_size,
        num_train_epochs=numbers.epochs,
        learning_rate=numbers.learning_rate,
        lr_scheduler_type=numbers.schedule,
        weight_decay=numbers.weight_decay,
        max_grad_norm=numbers.clip_norm,
        warmup_steps=0,
        max_length=512,
        packing=packed,
        gradient_checkpointing=False,
        completion_only_loss=True,
        train_sampling_strategy="sequential" if in_order else "random",
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=numbers.seed,
    )
