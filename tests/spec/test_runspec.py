"""RunSpec: complete, strict, versioned."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spec.fields import settings_of
from engine.spec.methods import Lora, Qlora
from engine.spec.runspec import FORMAT, RunSpec, SpecInvalid, SpecTooNew, Training, decode_spec, validated
from tests.making import METHODS, train_spec, training

SPEC = train_spec(Path("model"), Path("rows"))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_spec_survives_the_way_to_disk_and_back(method: Lora) -> None:
    spec = train_spec(Path("model"), Path("rows"), method)
    assert decode_spec(msgspec.json.encode(spec)) == spec


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(SPEC) | fields)


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(SpecInvalid, match="colour"):
        decode_spec(changed(colour="blue"))


def test_a_missing_field_is_refused_by_name() -> None:
    whole = msgspec.to_builtins(SPEC)
    del whole["job"]["training"]["seed"]
    with pytest.raises(SpecInvalid, match=r"seed.*\$\.job\.training"):
        decode_spec(msgspec.json.encode(whole))


def test_a_newer_format_is_told_apart_from_a_broken_one() -> None:
    with pytest.raises(SpecTooNew, match=f"format {FORMAT + 1}"):
        decode_spec(changed(format=FORMAT + 1, field_of_the_future=1))
    with pytest.raises(SpecInvalid):
        decode_spec(b'{"format": 1, "id"')


@pytest.mark.parametrize(
    ("field", "value"), [("learning_rate", 0.0), ("epochs", 0), ("batch_size", 0), ("schedule", "stairs"), ("seed", -1)]
)
def test_a_value_outside_its_limits_is_refused_with_its_place(field: str, value: object) -> None:
    spec = train_spec(Path("model"), Path("rows"))
    broken = msgspec.structs.replace(spec, job=msgspec.structs.replace(spec.job, training=training(**{field: value})))
    with pytest.raises(SpecInvalid, match=rf"\$\.job\.training\.{field}"):
        validated(broken)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        SPEC.name = "other"  # type: ignore[misc]


@given(st.binary(max_size=300))
def test_whatever_the_file_holds_the_answer_is_a_spec_or_a_reason(data: bytes) -> None:
    try:
        assert isinstance(decode_spec(data), RunSpec)
    except (SpecInvalid, SpecTooNew) as error:
        assert str(error)


@pytest.mark.parametrize("struct", [Training, Lora, Qlora])
def test_every_setting_is_described(struct: type[msgspec.Struct]) -> None:
    described = settings_of(struct)
    assert set(described) == set(struct.__struct_fields__)
    assert all(each.title and each.help.endswith((".", ".")) for each in described.values())
