"""One colour for each version, on every screen that shows several: by its age among the versions of the Home."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.results.versions import Version
from studio.hooks import use_engine, use_surroundings, use_topic
from studio.theme import Palette


def version_colors(ids: Iterable[str], known: Sequence[Version], palette: Palette) -> dict[str, str]:
    """The colour of each of these versions. Only where two that stand beside each other would have the same one does
    the younger take the next; what is no version (a run alone, a deleted one) comes after them."""
    ages = {each.id: age for age, each in enumerate(sorted(known, key=lambda each: (each.made, each.id)))}
    lines = palette.versions
    chosen: dict[str, int] = {}
    for one in sorted(dict.fromkeys(ids), key=lambda one: (ages.get(one, len(ages)), one)):
        wanted = ages.get(one, len(ages)) % len(lines)
        turns = ((wanted + step) % len(lines) for step in range(len(lines)))
        chosen[one] = next((each for each in turns if each not in chosen.values()), wanted)
    return {one: lines[place] for one, place in chosen.items()}


def use_version_color(version: str) -> str:
    """The colour of one version, for a page that shows it beside its base."""
    versions = use_topic(use_engine().outcomes.versions, every=1.0)
    return version_colors([version], versions, use_surroundings().palette)[version]
