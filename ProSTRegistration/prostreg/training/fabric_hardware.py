"""Training on the hardware at hand with Lightning Fabric: a processor, a GPU, or several processes that share the work.

Fabric starts the processes and gives device, precision and the exchange of gradients. It does not wrap the network: the
double backward goes through methods of the network that are not its ``forward``, which a wrapper would not see.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from prostreg.errors import DeviceError
from prostreg.prost.network import ProSTNetwork
from prostreg.training.run import Execution

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PACKAGE = "lightning_fabric"
EXTRA = "training"


@dataclass(frozen=True)
class Hardware:
    """The hardware of a training.

    Attributes:
        execution: how steps are carried out.
        device: of this process.
        processes: that share the work.
        any_of: whether one of the processes says yes; to be asked by all of them equally often.
    """

    execution: Execution
    device: torch.device
    processes: int
    any_of: Callable[[bool], bool]


def fabric_faults() -> list[str]:
    """Faults that keep `launch` from working, in words."""
    if importlib.util.find_spec(PACKAGE) is not None:
        return []
    return [f"Training needs Lightning Fabric: install it with pip install 'prostreg[{EXTRA}]'."]


def chosen_device(name: str, processes: int | None) -> str:
    """``cpu`` or ``cuda`` for the device that was asked for.

    Args:
        name: ``auto``, ``cpu`` or ``cuda``.
        processes: on this machine; None if that was left open.

    Raises:
        DeviceError: there is no such device, or there are fewer.
    """
    count = torch.cuda.device_count()
    if name == "cuda" and count == 0:
        raise DeviceError("There is no CUDA device that torch can use: choose --device auto or cpu.")
    if name == "cpu" or count == 0:
        return "cpu"
    if processes is not None and processes > count:
        raise DeviceError(f"--devices is {processes}, but there are {count} CUDA devices: give {count} at most.")
    return "cuda"


def launch(device: str, processes: int | None, precision: str) -> Hardware:
    """Starts the further processes, which run this program's command again, and gives this one's part.

    Under torchrun the processes are there already.

    Args:
        device: ``cpu`` or ``cuda``.
        processes: on this machine; None: as many as torchrun started, else one.
        precision: as Fabric names it.
    """
    from lightning_fabric import Fabric

    per_machine = processes or int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    machines = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    strategy = "ddp" if per_machine * machines > 1 else "auto"
    fabric = Fabric(
        accelerator=device, devices=per_machine, num_nodes=machines, strategy=strategy, precision=cast(Any, precision)
    )
    fabric.launch()
    return Hardware(_execution(fabric), fabric.device, fabric.world_size, lambda yes: _any_of(fabric, yes))


def leave() -> None:
    """Ends what `launch` began."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _execution(fabric: Fabric) -> Execution:
    if fabric.world_size == 1:
        return Execution(backward=fabric.backward, autocast=fabric.autocast)
    return Execution(
        rank=fabric.global_rank,
        backward=fabric.backward,
        autocast=fabric.autocast,
        reduce_gradients=lambda network: _reduce_gradients(fabric, network),
        barrier=fabric.barrier,
    )


def _reduce_gradients(fabric: Fabric, network: ProSTNetwork) -> None:
    """Makes the gradients of all processes their mean, in one exchange."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    mean = _reduced(fabric, torch.cat([gradient.flatten() for gradient in gradients]), "mean")
    for gradient, part in zip(gradients, torch.split(mean, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def _any_of(fabric: Fabric, yes: bool) -> bool:
    if fabric.world_size == 1:
        return yes
    return bool(_reduced(fabric, torch.tensor(float(yes), device=fabric.device), "sum") > 0)


def _reduced(fabric: Fabric, values: Tensor, how: str) -> Tensor:
    return cast(Tensor, fabric.all_reduce(values, reduce_op=how))
