"""Synchformer's visual encoder (arXiv 2401.16423), as MMAudio uses it (arXiv 2412.15322, section 3.3).

Segments of 16 frames at 25 fps, 8 frames apart, go through a MotionFormer each: ViT-B with a tubelet of 2 frames and
divided attention, first over time at one place, then over the places of one frame; the class token attends to all.
An aggregator then turns the 14 x 14 tokens of each tubelet into one vector: 8 vectors a segment.

The aggregator is one pre-norm transformer layer of which only its class token is read. That token's query is a
constant, so keys and values of the 196 tokens need not be projected one by one: with the query q and per head,

    q . (K x_j) = (K^T q) . x_j     and     sum_j w_j V x_j = V (sum_j w_j x_j).

A video of n frames gives ceil((n - 16) / 8) + 1 segments, at least one: its last frame is repeated until the last
segment is whole, so that no frame is lost. Segment s starts at 0.32 s * s and gives features 8 s .. 8 s + 7, so there
are 25 features a second: feature k belongs to k / 25 s. MMAudio's 8 s hold 24 whole segments, whose 192 features it
reads evenly, 24 a second: which latent reads which feature is the generator's knowledge. It needs whole segments
(`feature_group`): the first feature of a window must be the first of a segment.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor, nn

from openfoley.encoders.base import CUBIC_REACH, Frames, Inputs, Outputs
from openfoley.encoders.masking import patch_shares
from openfoley.encoders.streams import HeldFrames, encoded_by_rows
from openfoley.errors import WeightsError

SEGMENTS_PER_CALL = 4  # through the network at once; fixed, so that chunking cannot change a rounding
NORM_EPSILON = 1e-6
PIXEL_MEAN = PIXEL_STD = 0.5
PREFIX = "vfeat_extractor."  # of the visual part in the public checkpoint of the whole Synchformer


@dataclass(frozen=True)
class SynchformerConfig:
    """rate in frames per second; tubelet_frames, segment_frames and segment_hop in frames."""

    rate: Fraction
    image_size: int
    patch_size: int
    tubelet_frames: int
    segment_frames: int
    segment_hop: int
    hidden_size: int
    heads: int
    mlp_size: int
    layers: int

    @property
    def patches(self) -> int:
        return (self.image_size // self.patch_size) ** 2

    @property
    def segment_features(self) -> int:
        return self.segment_frames // self.tubelet_frames


SYNCHFORMER = SynchformerConfig(
    rate=Fraction(25),
    image_size=224,
    patch_size=16,
    tubelet_frames=2,
    segment_frames=16,
    segment_hop=8,
    hidden_size=768,
    heads=12,
    mlp_size=3072,
    layers=12,
)


class SynchformerEncoder(nn.Module):
    """Video tower. `forward` is for a batch of segments, `encode` and `stream` for whole videos."""

    def __init__(self, config: SynchformerConfig) -> None:
        super().__init__()
        self.config = config
        self.rate = config.rate
        self.height = self.width = config.image_size
        self.dim = config.hidden_size
        width, tubelet = config.hidden_size, (config.tubelet_frames, config.patch_size, config.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.patches, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, config.segment_features, width))
        self.patch_embed_3d = nn.Conv3d(3, width, tubelet, tubelet)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(width, NORM_EPSILON)
        self.spatial_attn_agg = Aggregator(config)

    def forward(self, segments: Float[Tensor, "segments frames 3 height width"]) -> Float[Tensor, "segments n dim"]:
        """Pictures in -1..1 -> segment_features each."""
        return self.spatial_attn_agg(self.tokens(segments))

    def tokens(
        self, segments: Float[Tensor, "segments frames 3 height width"]
    ) -> Float[Tensor, "segments n places dim"]:
        """What the aggregator reads: the normalised tokens of each tubelet."""
        config = self.config
        patches = self.patch_embed_3d(segments.transpose(1, 2)).flatten(3).permute(0, 2, 3, 1)  # [s, t, place, dim]
        patches = patches + self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        token = (self.cls_token + self.pos_embed[:, :1]).expand(len(segments), -1, -1)
        x = torch.cat([token, patches.flatten(1, 2)], 1)  # [s, 1 + t place, dim]
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 1:]).unflatten(1, (config.segment_features, -1))

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n dim"]:
        """Row by row."""
        return encoded_by_rows(self, frames)

    def stream(self, live: bool = False) -> "SynchformerStream":
        return SynchformerStream(self, self)

    def mask_stream(self) -> "SynchformerStream":
        """Frames of a mask -> the seen share of each patch (`encoders.base.Maskable`)."""
        return SynchformerStream(self, self._shares)

    def _shares(self, segments: Float[Tensor, "segments frames 3 height width"]) -> Float[Tensor, "segments n places"]:
        """Of a tubelet's patches."""
        shares = patch_shares(segments * PIXEL_STD + PIXEL_MEAN, self.config.patch_size)
        return shares.unflatten(1, (self.config.segment_features, -1)).mean(2)

    @property
    def inputs(self) -> Inputs:
        """The shorter edge is brought to the size and the centre cut out."""
        return Inputs(Frames(self.rate, self.height, self.width, fit="cover", resize="bicubic"))

    @property
    def outputs(self) -> Outputs:
        config = self.config
        rate = config.rate * config.segment_features / config.segment_hop
        return Outputs(self.dim, rate, group=config.segment_features, reach=CUBIC_REACH)


class Block(nn.Module):
    """x + time attention, + space attention, + MLP, each on its own LayerNorm."""

    def __init__(self, config: SynchformerConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.norm1 = nn.LayerNorm(width, NORM_EPSILON)
        self.norm2 = nn.LayerNorm(width, NORM_EPSILON)
        self.norm3 = nn.LayerNorm(width, NORM_EPSILON)
        self.attn = DividedAttention(config, over_time=False)
        self.timeattn = DividedAttention(config, over_time=True)
        self.fc1 = TokenLinear(width, config.mlp_size)
        self.fc2 = TokenLinear(config.mlp_size, width)

    def forward(self, x: Float[Tensor, "s tokens dim"]) -> Float[Tensor, "s tokens dim_out"]:
        x = x + self.timeattn(self.norm3(x))
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class DividedAttention(nn.Module):
    """Patch queries see the class token and the patches of the same place (over time) or of the same frame."""

    def __init__(self, config: SynchformerConfig, over_time: bool) -> None:
        super().__init__()
        self.heads, self.frames, self.over_time = config.heads, config.segment_features, over_time
        self.qkv = TokenLinear(config.hidden_size, 3 * config.hidden_size)
        self.proj = TokenLinear(config.hidden_size, config.hidden_size)

    def forward(self, x: Float[Tensor, "s tokens dim"]) -> Float[Tensor, "s tokens dim_out"]:
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))  # [s, token, which, head, channel]
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # [s, head, token, channel]
        token = F.scaled_dot_product_attention(q[:, :, :1], k, v).transpose(1, 2)  # [s, 1, head, channel]
        patches = self._over_time(qkv) if self.over_time else self._over_places(qkv)
        return self.proj(torch.cat([token, patches], 1).flatten(2))

    def _over_places(self, qkv: Tensor) -> Tensor:
        """Each frame by itself: [s, t place, head, channel]."""
        patches = qkv[:, 1:].unflatten(1, (self.frames, -1))  # [s, t, place, which, head, channel]
        token = qkv[:, None, :1].expand(-1, self.frames, -1, -1, -1, -1)
        seen = torch.cat([token[..., 1:, :, :], patches[..., 1:, :, :]], 2).flatten(0, 1)  # keys and values
        q, k, v = (part.transpose(1, 2) for part in (patches[:, :, :, 0].flatten(0, 1), seen[:, :, 0], seen[:, :, 1]))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(qkv.shape[0], -1, *qkv.shape[3:])

    def _over_time(self, qkv: Tensor) -> Tensor:
        """Each place by itself: [s, t place, head, channel]. Groups of 9 are too small for a fused kernel: scores of
        the patches and of the class token are two products, each over everything."""
        patches = qkv[:, 1:].unflatten(1, (self.frames, -1))
        q, k, v = patches.permute(3, 0, 2, 4, 1, 5)  # [s, place, head, t, channel]
        token_k, token_v = qkv[:, 0, 1, :, None], qkv[:, 0, 2, :, None]  # [s, head, 1, channel]
        scores = torch.cat([(q * token_k[:, None]).sum(-1, keepdim=True), q @ k.mT], -1) / math.sqrt(q.shape[-1])
        weights = scores.softmax(-1)
        seen = weights[..., 1:] @ v + weights[..., :1] * token_v[:, None]
        return seen.permute(0, 3, 1, 2, 4).flatten(1, 2)


class TokenLinear(nn.Linear):
    """In bfloat16 a CPU's convolution of one tap beats its matrix product
    (measured: 200 against 180 GFLOP/s at these widths)."""

    def forward(self, input: Float[Tensor, "s tokens dim"]) -> Float[Tensor, "s tokens dim_out"]:
        if input.dtype != torch.bfloat16 or input.device.type != "cpu" or not input.is_contiguous():
            return super().forward(input)
        rows = input[:, None].permute(0, 3, 1, 2)  # [s, in, 1, tokens], channels innermost
        return F.conv2d(rows, self.weight[:, :, None, None], self.bias)[:, :, 0].mT


class Aggregator(nn.Module):
    """One vector from the tokens of a tubelet: the class token of a transformer layer, and nothing else of it."""

    def __init__(self, config: SynchformerConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.heads
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.linear1 = nn.Linear(width, config.mlp_size)
        self.linear2 = nn.Linear(config.mlp_size, width)
        self.norm1 = nn.LayerNorm(width, NORM_EPSILON)
        self.norm2 = nn.LayerNorm(width, NORM_EPSILON)

    def forward(
        self, tokens: Float[Tensor, "*axes tokens dim"], bias: Float[Tensor, "*axes tokens"] | None = None
    ) -> Float[Tensor, "*axes dim"]:
        """bias: added to the logits of each token, for all heads; the class token has none."""
        token = self.cls_token[0, 0].expand(*tokens.shape[:-2], 1, -1)
        seen = self.norm1(torch.cat([token, tokens], -2))  # [..., 1 + tokens, dim]
        wq, wk, wv = self.qkv.weight.unflatten(0, (3, self.heads, -1))  # [head, channel, dim]
        bq, _, bv = self.qkv.bias.unflatten(0, (3, self.heads, -1))  # the keys' bias shifts all scores of a query alike
        query = torch.einsum("hcd,d->hc", wq, self.norm1(self.cls_token[0, 0])) + bq
        probes = torch.einsum("hcd,hc->hd", wk, query) / math.sqrt(wk.shape[1])
        logits = seen @ probes.mT  # [..., 1 + tokens, head]
        logits = logits if bias is None else logits + F.pad(bias, (1, 0))[..., None]
        weights = logits.softmax(-2)
        pooled = torch.einsum("...hd,hcd->...hc", weights.mT @ seen, wv) + bv
        x = token[..., 0, :] + self.proj(pooled.flatten(-2))
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class SynchformerStream(HeldFrames):
    """Cuts a video into segments as its frames arrive; holds little more than SEGMENTS_PER_CALL segments, from the
    first frame of the next one on. features: of segments, [segments, n, ...]."""

    def __init__(self, encoder: SynchformerEncoder, features: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder, self.features = encoder, features
        self.length, self.hop = encoder.config.segment_frames, encoder.config.segment_hop
        self.segments = 0  # given out

    def push(
        self, frames: UInt8[Tensor, "frames 3 height width"], first_index: int
    ) -> list[Float[Tensor, "features dim"]]:
        self.hold(frames, first_index)
        results = []
        while len(self.held) >= self.length + (SEGMENTS_PER_CALL - 1) * self.hop:
            results.append(self._features(SEGMENTS_PER_CALL))
        return results

    def flush(self) -> list[Float[Tensor, "features dim"]]:
        if self.next_index == 0:
            return []
        left = max(0, -(-(len(self.held) - self.length) // self.hop)) + 1
        if self.segments and len(self.held) <= self.length - self.hop:
            return []  # what is left was the second half of the segment before
        missing = self.length + (left - 1) * self.hop - len(self.held)
        self.held += [self.held[-1]] * missing
        features = self._features(left)
        self.held = []
        return [features]

    @torch.no_grad()
    def _features(self, count: int) -> Tensor:
        """Features [count * segment_features, dim] of the next segments."""
        parameter = next(self.encoder.parameters())
        segments = [torch.stack(self.held[i * self.hop : i * self.hop + self.length]) for i in range(count)]
        self.held = self.held[count * self.hop :]
        self.segments += count
        pictures = torch.stack(segments).to(parameter.device).float() / 255
        features = self.features(((pictures - PIXEL_MEAN) / PIXEL_STD).to(parameter.dtype))
        return features.float().flatten(0, 1).flatten(1)


def by_segments(
    encoder: SynchformerEncoder,
    pool: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    trunk: Float[Tensor, "batch n trunk_dim"],
    present: Bool[Tensor, "batch n"],
    seen: Float[Tensor, "batch n places"] | None,
) -> Float[Tensor, "batch n dim"]:
    """`pool` of the tokens of whole segments, a few at once; of segments of which nothing is present, zeros. pool
    receives the numbers of the segments in the batch, their tokens [s, n, place, dim] and their shares [s, n, place].
    """
    group, width = encoder.config.segment_features, encoder.dim
    segments = trunk.unflatten(1, (-1, group)).flatten(0, 1)  # [batch s, n, trunk_dim]
    shares = None if seen is None else seen.unflatten(1, (-1, group)).flatten(0, 1)
    features = trunk.new_zeros(len(segments), group, width)
    for index in present.flatten().unflatten(0, (-1, group)).any(1).nonzero()[:, 0].split(SEGMENTS_PER_CALL):
        tokens = segments[index].unflatten(-1, (-1, width))
        features[index] = pool(index, tokens, None if shares is None else shares[index]).to(features)
    return features.unflatten(0, (len(trunk), -1)).flatten(1, 2)


def from_mmaudio(state_dict: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Float[Tensor, "..."]]:
    """`SynchformerEncoder`'s state from the public checkpoint of the whole Synchformer, or its visual part alone.

    What MMAudio does not use is left out by name: the sound tower, the aligner, and the picture-wise `patch_embed`.
    """
    converted = {}
    for name, tensor in state_dict.items():
        if not name.startswith(PREFIX) or name.startswith(PREFIX + "patch_embed."):
            continue
        name = name.removeprefix(PREFIX).replace(".mlp.fc", ".fc").replace("patch_embed_3d.proj.", "patch_embed_3d.")
        name = name.replace("self_attn.in_proj_", "qkv.").replace("self_attn.out_proj.", "proj.")
        converted[name] = tensor.float()
    if not converted:
        raise WeightsError(f"this is no Synchformer checkpoint: no key starts with {PREFIX!r}")
    return converted
