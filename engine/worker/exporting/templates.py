"""Prompts as an artefact's own chat template writes them, in the sandbox that transformers and llama-cpp-python use."""

from __future__ import annotations

from typing import Any

from engine.spec.exports import Probe


def render(template: str, probe: Probe, specials: dict[str, str]) -> str:
    """The probe's turns up to where its answer begins; its text where there is no template or there are no turns."""
    from transformers.utils.chat_template_utils import render_jinja_template

    if not template or not probe.turns:
        return probe.text
    turns = [{"role": turn.role, "content": turn.content} for turn in probe.turns]
    given: dict[str, Any] = {"chat_template": template, "add_generation_prompt": True, **specials}
    said, _ = render_jinja_template([turns], **given)
    return said[0]
