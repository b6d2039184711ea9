"""What a run costs besides time and memory: electricity, carbon, disk. Pure."""

from __future__ import annotations

import math

import msgspec

from engine.core.settings import Settings
from engine.plan.memory import Part
from engine.plan.states import State
from engine.spec.methods import Full, Method
from engine.spec.runspec import Training


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """Price of a kilowatt-hour and grams of carbon dioxide it makes. `own` says that the user gave the price."""

    price: float = 0.30
    currency: str = "USD"
    carbon_grams: float = 445.0
    own: bool = False


USUAL_TARIFF = Tariff()
"""0.30 a kWh is an ordinary household price; 445 g/kWh the world's average for 2024 (IEA, Electricity 2025)."""


def tariff_of(settings: Settings) -> Tariff:
    """What electricity costs here, as far as the user said; otherwise what is usual."""
    own = settings.electricity_price > 0
    return Tariff(
        price=settings.electricity_price if own else USUAL_TARIFF.price,
        currency=settings.currency if own else USUAL_TARIFF.currency,
        carbon_grams=settings.grid_carbon or USUAL_TARIFF.carbon_grams,
        own=own,
    )


def money(value: float) -> str:
    """An amount with two digits after the point; a smaller one with its first two figures: 12.30, 0.00014."""
    if not 0 < value < 0.1:
        return f"{value:,.2f}"
    return f"{value:.{1 - math.floor(math.log10(value))}f}"


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """Electricity of a run: kilowatt-hours, their price, grams of carbon dioxide, and what that rests on."""

    watts: float
    kwh: float
    cost: float
    currency: str
    carbon_grams: float
    reason: str


def energy(watts: float, seconds: float, tariff: Tariff) -> Energy:
    """What so many watts for so long cost."""
    kwh = watts * seconds / 3.6e6
    whose = "your price" if tariff.own else "an assumed price"
    return Energy(
        watts=watts,
        kwh=kwh,
        cost=kwh * tariff.price,
        currency=tariff.currency,
        carbon_grams=kwh * tariff.carbon_grams,
        reason=f"about {watts:,.0f} W; {whose} of {tariff.price:g} {tariff.currency} and "
        f"{tariff.carbon_grams:g} g of carbon dioxide a kWh",
    )


def disk_parts(state: State, method: Method, training: Training) -> tuple[Part, ...]:
    """What is written: checkpoints kept, the result, the records."""
    kept = training.keep_checkpoints + 1
    size = state.trainable * 4 + state.optimizer
    each = size / max(1, state.trainable)
    result = state.trainable * (2 if isinstance(method, Full) and training.precision != "fp32" else 4)
    return (
        Part(
            name="checkpoints",
            title="Checkpoints",
            amount=kept * size,
            reason=f"{kept} of {each:.0f} bytes per trained weight (weight and optimizer)",
        ),
        Part(
            name="result", title="Result", amount=result, reason="the adapter, or the whole model when all is trained"
        ),
        Part(name="logs", title="Measurements", amount=10_000_000, reason="metrics, events and the log"),
    )
