"""Modules are built without memory for their weights, then filled with exactly those of a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from openfoley.errors import WeightsError
from openfoley.hub.checkpoint import check_finite
from openfoley.hub.memory import release_after_use

ENCODERS = ("sync", "semantic", "words")
ONE_BUILDER = threading.Lock()  # of modules without memory


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; floating point ones as float32, matrices that are stored so mapped from it."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise WeightsError(f"{str(path)!r} is missing")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is not a complete safetensors file: {error}") from None
    return {
        key: value.to(torch.float32 if value.is_floating_point() else value.dtype, copy=value.ndim < 2)
        for key, value in tensors.items()
    }


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file that `read_weights` reads."""
    from safetensors import safe_open

    with safe_open(str(path), "pt") as file:
        return dict(file.metadata() or {})


def fill(module: nn.Module, state: Mapping[str, Tensor], where: str, *, assign: bool = False) -> None:
    """Give the module exactly these tensors; WeightsError names the first key, shape or value that does not fit.
    assign: they become its parameters, else they are copied into those."""
    expected = module.state_dict()
    for key, value in expected.items():
        if key not in state:
            raise WeightsError(f"{where}: it lacks {key!r} {list(value.shape)}; it is another variant")
        if state[key].shape != value.shape:
            found, wanted = list(state[key].shape), list(value.shape)
            raise WeightsError(f"{where}: {key!r} should be {wanted}, found {found}; it is another variant")
    if extra := sorted(set(state) - set(expected)):
        raise WeightsError(f"{where}: it holds {extra[0]!r}, which is not part of it")
    check_finite(state, where)
    module.load_state_dict(dict(state), strict=True, assign=assign)


def unfilled(make: Callable[[], nn.Module]) -> nn.Module:
    """The module with buffers, but parameters without memory, to be filled with `assign`: random numbers, 1.5 billion
    for MMAudio, are not made to be replaced.

    Like accelerate's `init_empty_weights`: every parameter goes to the meta device when it is registered: torch has no
    switch for parameters alone (`torch.device("meta")` takes computed buffers too). The method is put back whatever
    happens; other threads that build modules meanwhile get theirs as ever.
    """
    register, builder = nn.Module.register_parameter, threading.get_ident()

    def without_memory(module: nn.Module, name: str, value: nn.Parameter | None) -> None:
        if value is not None and threading.get_ident() == builder:
            value = nn.Parameter(value.to("meta"), value.requires_grad)
        register(module, name, value)

    with ONE_BUILDER, torch.random.fork_rng(devices=[]):
        nn.Module.register_parameter = without_memory  # type: ignore[method-assign]
        try:
            return make()
        finally:
            nn.Module.register_parameter = register  # type: ignore[method-assign]


def ready(part: str, module: nn.Module, device: torch.device) -> nn.Module:
    """Frozen, in evaluation mode, on the device; an encoder's weights leave a CPU's memory layer by layer."""
    module = module.to(device).eval().requires_grad_(False)
    if device.type == "cpu" and part in ENCODERS:
        release_after_use(module)
    return module
