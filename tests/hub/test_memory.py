"""Mapped weights are in memory only while they are used, and their values stay."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from openfoley.generators.mmaudio.config import VARIANTS
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.hub import memory
from openfoley.hub.cards import CARDS
from openfoley.hub.checkpoint import read_checkpoint
from openfoley.hub.filling import fill, unfilled
from openfoley.hub.memory import FilePages, file_mappings, release_after_use, released
from openfoley.nn.gated import FAST_KERNEL, TimeConv

WIDTH = 1024  # a layer is 4 MB
LAYERS = 4

linux = pytest.mark.skipif(not memory.MAPPINGS.is_file(), reason="file mappings are known on Linux only")


def resident(tensor: Tensor) -> int:
    """Bytes in memory of the mapping in which a tensor lies."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    for line in lines:
        first, _, end = line.split()[0].partition("-")
        if end and int(first, 16) <= tensor.data_ptr() < int(end, 16):
            return 1024 * int(next(line for line in lines if line.startswith("Rss:")).split()[1])
    raise AssertionError("a tensor lies in a mapping")


def network() -> nn.Module:
    return nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))


@pytest.fixture
def whole() -> nn.Module:
    torch.manual_seed(0)
    return network().requires_grad_(False)


@pytest.fixture
def mapped(whole: nn.Module, tmp_path: Path) -> nn.Module:
    torch.save(whole.state_dict(), tmp_path / "x.pth")
    module = unfilled(network)
    fill(module, read_checkpoint(tmp_path / "x.pth"), "x.pth", assign=True)
    return module.requires_grad_(False)


def weight(module: nn.Module, layer: int = 0) -> Tensor:
    return module.get_parameter(f"{layer}.weight")


@linux
def test_a_layer_is_in_memory_only_while_it_is_computed(whole: nn.Module, mapped: nn.Module) -> None:
    x = torch.randn(2, WIDTH)
    expected, size = whole(x), 4 * LAYERS * WIDTH**2
    assert torch.equal(mapped(x), expected) and resident(weight(mapped)) >= size
    release_after_use(mapped)
    for _ in range(2):
        assert torch.equal(mapped(x), expected)
        assert resident(weight(mapped)) < size / 16
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in mapped.state_dict().items())


@linux
def test_what_is_read_one_by_one_is_released(mapped: nn.Module) -> None:
    size = 4 * LAYERS * WIDTH**2
    for _, value in released(mapped.state_dict()):
        assert value.isfinite().all() and resident(value) < size / 2
    assert resident(weight(mapped)) < size / 16


@linux
def test_a_weight_that_was_changed_in_place_is_kept(mapped: nn.Module) -> None:
    release_after_use(mapped)
    weight(mapped, 1).mul_(2)
    doubled = weight(mapped, 1).clone()
    mapped(torch.zeros(1, WIDTH))
    assert torch.equal(weight(mapped, 1), doubled)


def test_a_tensor_that_is_no_part_of_a_file_is_never_released(whole: nn.Module) -> None:
    mappings = file_mappings()
    assert all(FilePages.of(value, mappings) is None for value in whole.state_dict().values())
    release_after_use(whole)
    assert not any(layer._forward_hooks for layer in whole.modules())


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.files])
def test_a_card_counts_the_cached_kernels(name: str) -> None:
    card = CARDS[name]
    generator = unfilled(lambda: MMAudioGenerator(VARIANTS[card.variant]))
    convolutions = [m for m in generator.modules() if isinstance(m, TimeConv) and m.kernel_size[0] == FAST_KERNEL]
    one = convolutions[0]
    real = TimeConv(one.in_channels, one.out_channels, FAST_KERNEL)
    real.remember_kernels()
    assert real.kernels is not None
    per_weight = Fraction(real.kernels.numel() * real.kernels.element_size(), real.weight.numel())
    assert sum(module.weight.numel() for module in convolutions) * per_weight == card.kernel_bytes
