"""What a detector is shown: the numbers of one optimizer step. None stands for what was not measured."""

from __future__ import annotations

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One optimizer step, counted from 1.

    `loss` in nats per trained token; `gradient_norm` before clipping, None for a step whose fp16 scale overflowed;
    `learning_rate` of this step; `tokens_per_second` and `step_seconds`; `data_wait_share` the part of the step,
    0 to 1, spent waiting for rows;
    `memory_bytes` and `memory_limit` of the device (of the process where there is no device memory); temperature in
    degrees Celsius; `gpu_clock_share` present clock over the highest one; `gpu_throttled` as the driver says it,
    for heat alone; `battery` the share of its charge that is left, 0 to 1, and 1 while it is plugged in;
    `adapter_norm` the L2 norm of all trained weights, summed in double precision, at whichever steps it is taken;
    `validation_loss` at the steps that validate.
    """

    step: int
    loss: float
    gradient_norm: float | None = None
    learning_rate: float | None = None
    tokens_per_second: float | None = None
    step_seconds: float | None = None
    data_wait_share: float | None = None
    memory_bytes: float | None = None
    memory_limit: float | None = None
    gpu_temperature: float | None = None
    gpu_clock_share: float | None = None
    gpu_throttled: bool | None = None
    battery: float | None = None
    adapter_norm: float | None = None
    validation_loss: float | None = None
