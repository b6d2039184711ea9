"""Going on from a version: the same method on the same base, begun with the weights that it ended with."""

from __future__ import annotations

import msgspec

from engine.core.errors import PlanError
from engine.plan.combinations import learns_positions
from engine.results.care import checked_base
from engine.results.versions import Version, Versions
from engine.spec.methods import Method, Pissa, Tuner, method_name
from engine.spec.records import Fact
from engine.spec.runspec import AdapterRef


class Continuation(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft takes from the version that it goes on from: settings of the adapter cannot change any more.

    `title` is how people call the version."""

    parent: AdapterRef
    title: str
    model_path: str
    method: str
    edits: dict[str, Fact]


def continuation(versions: Versions, version: Version) -> Continuation:
    """How training goes on from this version. Raises PlanError where the method cannot, DataError for what is gone."""
    checked_base(version)
    method = versions.job(version).method
    if learns_positions(method):
        raise _cannot(version, "PEFT cannot train on with positions that were learned and saved.")
    if isinstance(method, Pissa):
        raise _cannot(version, "PiSSA changes the base while it trains; saved is only the difference.")
    words, edits = method_settings(method)
    return Continuation(
        parent=AdapterRef(name=version.id, path=str(versions.adapter(version)), whole=version.whole),
        title=version.title,
        model_path=version.model_path,
        method=words,
        edits=edits,
    )


def method_settings(method: Method) -> tuple[str, dict[str, Fact]]:
    """A method in the words of a draft: its name, and its settings by name."""
    settings = msgspec.structs.asdict(method)
    words = settings.pop("tuner") if isinstance(method, Tuner) else method_name(method)
    return str(words), {
        name: ",".join(value) if isinstance(value, tuple) else value for name, value in settings.items()
    }


def _cannot(version: Version, why: str) -> PlanError:
    return PlanError(
        f"Training cannot go on from {version.title}.",
        why,
        "Start a new run on the base.",
        "Or go on from a version trained with LoRA.",
    )
