"""One guided step of MMAudio's network against a plain form of it: python benchmarks/mmaudio_flow.py [VARIANT] [RUNS].

The plain form follows descriptions of the published implementation: two passes per step (with conditions, without),
each with its own input projection; shift, scale and gate computed for every latent; attention as an explicit softmax;
the two products of a gated unit separately, with transposes before and after every convolution; all queries of the last
joint block. Both run alternately in this process on one thread, float32, random weights; medians of CPU time (little
affected by other processes) and of wall time.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.generators.mmaudio.blocks import LAYER_NORM_EPSILON, Stream
from openfoley.generators.mmaudio.conditioning import Prepared
from openfoley.generators.mmaudio.config import VARIANTS
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.nn.adaln import normalise
from openfoley.nn.gated import GatedUnit
from openfoley.nn.rope import Positions, rotate
from openfoley.types import TEXT, Conditions, FeatureSequence

GUIDANCE = 4.5
Network = TypeVar("Network", bound=nn.Module)


def random_weights(build: Callable[[], Network], device: torch.device | str = "cpu") -> Network:
    """The module of `build`, its parameters sampled on the device in float32, its buffers uninitialised."""
    torch.manual_seed(0)
    with torch.device("meta"):
        network = build()
    network = network.to_empty(device=device).eval().requires_grad_(False)
    for parameter in network.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.normal_(std=fan_in**-0.5 if parameter.dim() > 1 else 0.1)
    return network


def random_model(variant: str) -> MMAudioGenerator:
    """NAME, or NAME:2 for a network of that size with version 2's clock and activations."""
    name, _, version = variant.partition(":")
    config = replace(VARIANTS[name], version=2) if version == "2" else VARIANTS[name]
    return random_weights(lambda: MMAudioGenerator(config))


def random_conditions(model: MMAudioGenerator) -> Conditions:
    def present(values: Tensor, time_s: Tensor) -> FeatureSequence:
        return FeatureSequence(values, time_s[None], torch.ones(values.shape[:2], dtype=torch.bool))

    config = model.config
    semantic = F.normalize(torch.randn(1, config.semantic_tokens, config.semantic_dim), dim=-1)
    sync = torch.randn(1, config.sync_tokens, config.sync_dim)
    text = F.normalize(torch.randn(1, config.text_tokens, config.text_dim), dim=-1)
    return Conditions(
        {
            "semantic": present(semantic, torch.arange(config.semantic_tokens) / 8),
            "sync": present(sync, torch.arange(config.sync_tokens) / 25),
            TEXT: present(text, torch.zeros(config.text_tokens)),
        }
    )


def velocity(model: MMAudioGenerator, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
    """The instantaneous velocity without known latents, [branches * batch, latents, latent_dim]."""
    return model.velocity(
        x, t, torch.zeros_like(t), torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device), prepared
    )


def plain_unit(unit: GatedUnit, x: Tensor) -> Tensor:
    if isinstance(unit.expand, nn.Linear):
        first, third = unit.expand.weight.chunk(2)
        return unit.contract(F.silu(F.linear(x, first)) * F.linear(x, third))
    first, third = unit.expand.weight.chunk(2)
    side = first.shape[2] // 2
    gate = F.conv1d(x.transpose(1, 2), first, padding=side).transpose(1, 2)
    value = F.conv1d(x.transpose(1, 2), third, padding=side).transpose(1, 2)
    hidden = (F.silu(gate) * value).transpose(1, 2)
    return F.conv1d(hidden, unit.contract.weight, padding=side).transpose(1, 2)


def plain_projection(layer: nn.Module, x: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return layer(x)
    return F.conv1d(x.transpose(1, 2), layer.weight, layer.bias, padding=layer.padding[0]).transpose(1, 2)


def plain_pieces(stream: Stream, condition: Tensor) -> tuple[Tensor, ...]:
    return stream.modulation.project(F.silu(condition)).chunk(stream.modulation.pieces, -1)


def plain_heads(stream: Stream, x: Tensor, pieces: tuple[Tensor, ...], at: Positions | None) -> list[Tensor]:
    """Queries, keys and values, each copied out of an interleaved product as the published layout makes it."""
    x = normalise(x, LAYER_NORM_EPSILON) * (1 + pieces[1]) + pieces[0]
    heads = stream.heads
    joined = heads.project(x).view(*x.shape[:2], 3, heads.heads, -1).permute(0, 3, 1, 4, 2).contiguous()
    query, key, value = (part.contiguous() for part in joined.unbind(-1))
    query = F.rms_norm(query, query.shape[-1:], heads.query_scale, heads.epsilon)
    key = F.rms_norm(key, key.shape[-1:], heads.key_scale, heads.epsilon)
    return [query, key, value] if at is None else [rotate(query, *at), rotate(key, *at), value]


def plain_attention(parts: list[list[Tensor]]) -> Tensor:
    query, key, value = (torch.cat([part[which] for part in parts], 2) for which in range(3))
    weights = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
    return (weights @ value).transpose(1, 2).flatten(2)


def plain_update(stream: Stream, x: Tensor, mixed: Tensor, pieces: tuple[Tensor, ...]) -> Tensor:
    assert stream.out is not None and stream.unit is not None
    x = x + pieces[2] * plain_projection(stream.out, mixed)
    normed = normalise(x, LAYER_NORM_EPSILON) * (1 + pieces[4]) + pieces[3]
    return x + pieces[5] * plain_unit(stream.unit, normed)


def plain_velocity(model: MMAudioGenerator, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
    """One pass for one set of conditions."""
    audio = plain_projection(model.embed, x)
    audio = plain_unit(model.embed_unit, model.embed_activation(audio))
    overall = (model.conditions.time(t) + prepared.overall)[:, None]
    local = overall + prepared.sync_rows[prepared.latent_row]
    semantic, text = prepared.semantic, prepared.text
    for block in model.joint:
        streams = (block.audio, block.semantic, block.text)
        pieces = [plain_pieces(s, c) for s, c in zip(streams, (local, overall, overall), strict=True)]
        places = (prepared.at_audio, prepared.at_semantic, None)
        values = (audio, semantic, text)
        parts = [plain_heads(s, v, p, a) for s, v, p, a in zip(streams, values, pieces, places, strict=True)]
        mixed = plain_attention(parts).split([v.shape[1] for v in values], 1)
        audio = plain_update(block.audio, audio, mixed[0], pieces[0])
        if block.semantic.out is not None:
            semantic = plain_update(block.semantic, semantic, mixed[1], pieces[1])
            text = plain_update(block.text, text, mixed[2], pieces[2])
    for block in model.audio:
        pieces = plain_pieces(block, local)
        mixed = plain_attention([plain_heads(block, audio, pieces, prepared.at_audio)])
        audio = plain_update(block, audio, mixed, pieces)
    shift, scale = model.modulation.project(F.silu(overall)).chunk(2, -1)
    return plain_projection(model.out, normalise(audio, LAYER_NORM_EPSILON) * (1 + scale) + shift)


def timed(steps: dict[str, Callable[[], Tensor]], runs: int) -> dict[str, tuple[float, float]]:
    """Median (CPU seconds, wall seconds) of each, measured alternately."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for number in range(runs + 1):
        for name, step in steps.items():
            cpu, clock = time.process_time(), time.perf_counter()
            step()
            if number:  # the first is a warm-up
                taken[name].append((time.process_time() - cpu, time.perf_counter() - clock))
    medians = {}
    for name, pairs in taken.items():
        medians[name] = (statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs))
    return medians


@torch.inference_mode()
def main(variant: str = "small-16k", runs: int = 5) -> None:
    torch.set_num_threads(1)
    model = random_model(variant)
    latents = model.config.window_latents
    x, t, conditions = torch.randn(1, latents, model.latent_dim), torch.tensor([0.3]), random_conditions(model)
    with_conditions, without = model.prepare(conditions, latents), model.prepare(conditions.null(), latents)
    both = model.prepare(Conditions.joined([conditions, conditions.null()]), latents)

    def plain() -> Tensor:
        first, second = plain_velocity(model, x, t, with_conditions), plain_velocity(model, x, t, without)
        return GUIDANCE * first + (1 - GUIDANCE) * second

    def ours() -> Tensor:
        first, second = velocity(model, x, t, both).chunk(2)
        return GUIDANCE * first + (1 - GUIDANCE) * second

    before = timed({"plain, two passes": plain, "ours, one pass": ours}, runs)
    expected = plain()
    error = float((ours() - expected).abs().max() / expected.abs().max())
    model.remember_kernels()
    after = timed({"plain, two passes": plain, "ours, kernels remembered": ours}, runs)
    fast_error = float((ours() - expected).abs().max() / expected.abs().max())
    for figures, difference in ((before, error), (after, fast_error)):
        reference = figures["plain, two passes"]
        for name, (cpu, clock) in figures.items():
            gain = f"{reference[0] / cpu:.2f}x (clock {reference[1] / clock:.2f}x)"
            print(f"{variant}, guided step, {name}: {cpu:.3f} CPU s, {clock:.3f} s, {gain}")
        print(f"largest difference to the plain form: {difference:.1e} of the largest value")
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"float32, one thread, batch 1, {latents} latents, {runs} runs; peak {peak_gb:.1f} GB")


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(runs) for runs in sys.argv[2:]))
