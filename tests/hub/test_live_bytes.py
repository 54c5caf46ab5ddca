"""What a computation on the meta device says of its memory is what its tensors need."""

from dataclasses import replace

import svg_seeded
import torch
import torch.nn.functional as F
from torch import nn

from openfoley.hub.live_bytes import LiveBytes, fused_attention, peak_bytes
from openfoley.hub.pair_memory import parameter_bytes, sampling_memory
from openfoley.training.joint import presets
from openfoley.training.joint.full import TRAINED_BYTES, training_memory

KILO = 1000


def meta(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, device="meta")


def test_the_peak_is_that_of_what_lives_at_once() -> None:
    x = meta(KILO)

    def three_with_two_alive() -> None:
        y = x + 1
        z = y * 2
        del y
        (z + 1).view(10, 100)  # a view is no new memory

    assert peak_bytes(three_with_two_alive) == 2 * 4 * KILO
    assert peak_bytes(lambda: [x + 1, x + 1, x + 1]) == 3 * 4 * KILO


def test_a_training_step_holds_what_its_way_back_needs() -> None:
    network = nn.Sequential(*(nn.Linear(100, 100, device="meta") for _ in range(4))).requires_grad_(False)
    x = meta(KILO, 100)
    without = peak_bytes(lambda: network(x))
    assert without == 2 * 4 * KILO * 100
    network[0].requires_grad_(True)
    chain = nn.Sequential(nn.Linear(100, 100, device="meta"), *(nn.GELU() for _ in range(3)))
    assert peak_bytes(lambda: chain(x).sum().backward()) > 4 * 4 * KILO * 100


def test_attention_counts_without_its_scores_and_gives_gradients() -> None:
    query = meta(1, 2, KILO, 8).requires_grad_(True)
    mask = meta(2, KILO, KILO).requires_grad_(True)
    assert peak_bytes(lambda: F.scaled_dot_product_attention(query, query, query)) == 4 * 2 * KILO * 8
    with fused_attention(), LiveBytes():
        F.scaled_dot_product_attention(query, query, value=query, attn_mask=mask).sum().backward()
    assert query.grad is not None and query.grad.shape == query.shape
    assert mask.grad is not None and mask.grad.shape == mask.shape
    here = torch.randn(1, 2, 4, 8)
    wanted = F.scaled_dot_product_attention(here, here, here)
    with fused_attention():
        assert torch.equal(F.scaled_dot_product_attention(here, here, here), wanted)


def test_memory_of_a_model_follows_what_is_trained_and_in_which_precision() -> None:
    whole, half = (sampling_memory(svg_seeded.TINY, 8, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert 2 * half.weights == whole.weights and half.activations < whole.activations
    tiny = replace(presets.FULL, architecture=svg_seeded.TINY)
    alone, motion = (training_memory(replace(tiny, trained=name), 8) for name in ("connectors", "motion"))
    model = svg_seeded.tiny()
    elements = parameter_bytes(model.connectors) // 4
    assert alone.trained == TRAINED_BYTES * elements and motion.trained > alone.trained
    assert alone.weights == parameter_bytes(model) // 2 + 2 * elements
    assert alone.activations > half.activations / 2 and "gradients, optimiser and average" in str(alone)
