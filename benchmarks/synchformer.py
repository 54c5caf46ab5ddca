"""Synchformer's visual encoder against a plain variant of itself, the same seeded weights, one thread.

    python benchmarks/synchformer.py [SEGMENTS] [RUNS]      medians of CPU seconds, measured alternately, and errors;
                                                            the share of dense layers, which both have in common

The plain variant does what the published implementation does: it repeats the class token's keys and values for every
group, computes all scores and their softmax, and the aggregator's layer on all 197 tokens, of which one is used.
"""

import copy
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.encoders import synchformer
from openfoley.encoders.synchformer import SYNCHFORMER, Aggregator, DividedAttention, SynchformerEncoder

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "goldens"))

PRODUCTS = (
    "aten::addmm",
    "aten::mm",
    "aten::mkldnn_convolution",
    "mkldnn::_linear_pointwise",
    "aten::_slow_conv2d_forward",
)


class PlainAttention(nn.Module):
    """DividedAttention with explicit scores."""

    def __init__(self, fast: DividedAttention) -> None:
        super().__init__()
        self.fast = fast

    def forward(self, x: Tensor) -> Tensor:
        fast, (segments, tokens, width) = self.fast, x.shape
        q, k, v = (self.by_head(part) for part in fast.qkv(x).chunk(3, dim=-1))  # [s head, token, channel]
        q = q * q.shape[-1] ** -0.5
        token = (q[:, :1] @ k.mT).softmax(-1) @ v
        groups = [self.grouped(part[:, 1:]) for part in (q, k, v)]  # [s head groups, members, channel]
        repeats = len(groups[0]) // len(q)
        firsts = [part[:, :1].repeat_interleave(repeats, 0) for part in (k, v)]
        keys, values = (torch.cat(pair, 1) for pair in zip(firsts, groups[1:], strict=True))
        patches = (groups[0] @ keys.mT).softmax(-1) @ values
        patches = patches.unflatten(0, (len(q), repeats))
        patches = (patches.transpose(1, 2) if fast.over_time else patches).flatten(1, 2)
        everything = torch.cat([token, patches], 1).unflatten(0, (segments, fast.heads)).transpose(1, 2)
        return fast.proj(everything.reshape(segments, tokens, width))

    def by_head(self, part: Tensor) -> Tensor:
        return part.unflatten(2, (self.fast.heads, -1)).transpose(1, 2).flatten(0, 1)

    def grouped(self, patches: Tensor) -> Tensor:
        patches = patches.unflatten(1, (self.fast.frames, -1))
        return (patches.transpose(1, 2) if self.fast.over_time else patches).flatten(0, 1)


class PlainAggregator(nn.Module):
    """The whole transformer layer on every token."""

    def __init__(self, fast: Aggregator) -> None:
        super().__init__()
        self.fast = fast

    def forward(self, tokens: Tensor) -> Tensor:
        fast = self.fast
        x = torch.cat([fast.cls_token.expand(*tokens.shape[:2], 1, -1), tokens], 2)
        q, k, v = fast.qkv(fast.norm1(x)).unflatten(-1, (3, fast.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        seen = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v
        x = x + fast.proj(seen.transpose(2, 3).flatten(3))
        x = x + fast.linear2(F.gelu(fast.linear1(fast.norm2(x))))
        return x[:, :, 0]


def plain(encoder: SynchformerEncoder) -> SynchformerEncoder:
    encoder = copy.deepcopy(encoder)
    for module in encoder.modules():
        if isinstance(module, synchformer.TokenLinear):
            module.forward = partial(nn.Linear.forward, module)  # type: ignore[method-assign]
    for block in encoder.blocks:
        assert isinstance(block, synchformer.Block)
        block.attn, block.timeattn = PlainAttention(block.attn), PlainAttention(block.timeattn)  # type: ignore[assignment]
    encoder.spatial_attn_agg = PlainAggregator(encoder.spatial_attn_agg)  # type: ignore[assignment]
    return encoder


def in_products(encoder: SynchformerEncoder, given: Tensor) -> float:
    """Share of the time in the products of dense layers and the first convolution, as torch's profiler counts it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        encoder(given)
    taken = {one.key: one.self_cpu_time_total for one in profile.key_averages()}
    return sum(taken.get(name, 0.0) for name in PRODUCTS) / sum(taken.values())


def main(segments: int = 1, runs: int = 3) -> None:
    import seeded

    shapes = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())["synchformer_visual"]
    with torch.device("meta"):
        ours = SynchformerEncoder(SYNCHFORMER)
    ours.load_state_dict(synchformer.from_mmaudio(seeded.state(shapes)), assign=True)
    variants = {
        "plain float32": plain(ours),
        "ours float32": ours,
        "plain bfloat16": plain(ours).bfloat16(),
        "ours bfloat16": copy.deepcopy(ours).bfloat16(),
    }
    video = (0.5 * torch.randn(segments, 16, 3, 224, 224, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    features = {}
    for _ in range(runs):
        for name, encoder in variants.items():
            given = video.to(encoder.cls_token.dtype)
            begun = time.process_time()
            features[name] = encoder(given).float()
            seconds[name].append(time.process_time() - begun)
    reference = features["plain float32"]
    print(f"{segments} segments of 16 frames, medians of {runs}, one thread")
    for name, taken in seconds.items():
        median, error = statistics.median(taken), features[name] - reference
        print(
            f"{name:15s} {median:6.2f} CPU s  {statistics.median(seconds['plain float32']) / median:5.2f} x   "
            f"largest error {float(error.abs().max()):.1e}, relative {float(error.norm() / reference.norm()):.1e}"
        )
    share = in_products(ours, video)
    ours_s, plain_s = (statistics.median(seconds[f"{name} float32"]) for name in ("ours", "plain"))
    print(f"ours float32: {share:.2f} of it in dense layers; if all else were free, {plain_s / (share * ours_s):.2f} x")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    main(*(int(value) for value in sys.argv[1:]))
