"""The processes that share a run: alone, or several under torchrun with the model cut into shards (FSDP2).

Each optimizer step's micro-batches are dealt to the processes; the loss is divided by a number of the whole step, so
that sharing changes the objective as little as micro-batching does. Rank 0 alone writes files. Zhao et al. 2023
(arXiv:2304.11277); https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import msgspec
import torch
from torch import nn

from engine.spec.records import Live
from engine.worker.control import ControlFile, Wish

Piece = TypeVar("Piece")
WISHES: tuple[Wish | None, ...] = (None, Wish.PAUSE, Wish.STOP)


class Group(Protocol):
    """What the loop asks of its fellow processes. `first` is the one that writes."""

    rank: int
    size: int
    first: bool

    def deal(self, pieces: list[Piece]) -> list[tuple[Piece, float]]:
        """This process's pieces, each with a factor: of its loss for the sum of gradients to be the whole step's."""
        ...

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes of a scalar on the device."""
        ...

    def agree(self, control: ControlFile) -> Wish | None:
        """Look at what is wished; every process gets what the first one sees."""
        ...

    def share(self, root: nn.Module) -> None:
        """Cut the model's weights into one shard for each process."""
        ...

    def wait(self) -> None:
        """Go on when all have come here."""
        ...

    def begin_step(self, seed: int, step: int) -> None:
        """Settle what random numbers this process draws in a step."""
        ...


class Alone:
    """One process: nothing to share."""

    rank, size, first = 0, 1, True

    def deal(self, pieces: list[Piece]) -> list[tuple[Piece, float]]:
        return [(piece, 1.0) for piece in pieces]

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        return value

    def agree(self, control: ControlFile) -> Wish | None:
        return control.look()

    def share(self, root: nn.Module) -> None:
        pass

    def wait(self) -> None:
        pass

    def begin_step(self, seed: int, step: int) -> None:
        pass


class Processes:
    """Several processes under torchrun: gloo on processors, NCCL on GPUs."""

    def __init__(self) -> None:
        from torch import distributed

        self._distributed = distributed
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if cuda else "gloo")
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.first = self.rank == 0
        self._device = torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")

    def deal(self, pieces: list[Piece]) -> list[tuple[Piece, float]]:
        """Every process gets as many, because each forward pass gathers shards from all; what is over counts nothing.

        FSDP averages gradients over the processes, hence the factor.
        """
        rounds = -(-len(pieces) // self.size)
        mine = [pieces[i] if i < len(pieces) else None for i in range(self.rank, rounds * self.size, self.size)]
        return [(pieces[0], 0.0) if piece is None else (piece, float(self.size)) for piece in mine]

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        value = value.clone()
        self._distributed.all_reduce(value)
        return value

    def agree(self, control: ControlFile) -> Wish | None:
        if self.first:
            control.look()
        live = [-1.0 if value is None else float(value) for value in msgspec.structs.astuple(control.live)]
        facts = [float(WISHES.index(control.wish)), float(control.checkpoint_now), *live]
        shared = torch.tensor(facts, dtype=torch.float64, device=self._device)
        self._distributed.broadcast(shared, 0)
        wish, save, *live = shared.tolist()
        control.wish, control.checkpoint_now = WISHES[int(wish)], bool(save)
        changed = {name: value for name, value in zip(Live.__struct_fields__, live, strict=True) if value >= 0}
        control.live = msgspec.convert(changed, Live, strict=False)
        return control.wish

    def share(self, root: nn.Module) -> None:
        from torch.distributed.fsdp import fully_shard

        for layer in decoder_layers(root):
            fully_shard(layer)
        fully_shard(root)

    def wait(self) -> None:
        self._distributed.barrier()

    def begin_step(self, seed: int, step: int) -> None:
        """Drawn anew in each step: a resumed run then needs no process's generator but its number."""
        torch.manual_seed((seed * 1_000_003 + step) * 1_009 + self.rank)


def join_group() -> Group:
    """The group that torchrun put this process into, or none."""
    return Processes() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Alone()


def decoder_layers(root: nn.Module) -> list[nn.Module]:
    """The layers that make up most of a model: the longest list of modules in it, by weights."""
    lists = [module for module in root.modules() if isinstance(module, nn.ModuleList)]
    sizes = {id(each): sum(parameter.numel() for parameter in each.parameters()) for each in lists}
    return list(max(lists, key=lambda each: sizes[id(each)], default=nn.ModuleList()))


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor that may be a shard. Every process must ask."""
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(tensor: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A whole tensor cut as `model` is cut."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(model, DTensor) or tensor.dim() == 0:
        return tensor
    return distribute_tensor(tensor.to(model.device), model.device_mesh, model.placements)


def whole_state(tensors: Mapping[str, torch.Tensor], group: Group) -> dict[str, torch.Tensor]:
    """All of these tensors, for the process that writes; every process must ask, and the others get nothing.

    Of shards one tensor at a time is whole on a device, and then goes to the writer's own memory.
    """
    state: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        full = whole(tensor.detach())
        if group.first:
            state[name] = full if group.size == 1 else full.cpu()
    return state


def scalar(tensor: Any) -> torch.Tensor:
    """A norm that may come as a sharded tensor, as a plain one."""
    return whole(tensor)
