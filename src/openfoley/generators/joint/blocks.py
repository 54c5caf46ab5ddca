"""What a U-Net's level takes in from the other modality, in three kinds, all with the same frame (arXiv 2409.17550):

    x + out(transform(in(norm(x)), condition)),    `out` starting at zero

so that an untrained connector leaves the U-Net as it is, to the bit. x is a level's output, [batch, channels, time, a,
b]: a and b are height and width of a frame; a spectrogram has one b.

- `cmc-pe`: the other modality's sequence is brought to x's time steps and added before self-attention, as a position
  would be (section 3.3). Attention runs within a frame of the video, over all of a spectrogram.
- `cross-attention`: the other modality is one vector, and x attends to it (the paper's comparison, as in CoDi).
- `joint-attention`: x attends to itself and to the other modality's sequence in one attention, with rotary positions in
  time (AVFullDiT, arXiv 2512.02457, whose audio index is rescaled so that both meet at the same times). Open in its
  text, and chosen here: nothing is masked; the sequence is that of the other modality's encoder, so that the U-Nets run
  independently of each other as in the other two kinds, and each modality has a norm, keys and values of its own; the
  longer one counts its steps; positions turn all channels of a head; it starts at zero by the frame above.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.generators.joint.config import ConnectorConfig
from openfoley.generators.joint.layers import Attention, Gated, Recomputable, Tokens, zeroed
from openfoley.nn.rope import rotate, turned

NORM_EPSILON = 1e-6
LONGEST_PERIOD = 10_000.0
"""Of a rotary position, in video frames over 2 pi."""

Level = Float[Tensor, "batch channels time a b"]
Condition = Float[Tensor, "batch condition_width condition_steps"]


class ConnectorBlock(Recomputable):
    """The frame around one of the three kinds. by_frame: attention is within each time step (video).

    The statistics of `norm` are over all frames, but for `cross-attention`, whose are each frame's own (as published).
    """

    def __init__(self, channels: int, config: ConnectorConfig, by_frame: bool) -> None:
        super().__init__()
        self.norms_frames = by_frame and config.kind == "cross-attention"
        self.norm = nn.GroupNorm(config.groups, channels, eps=NORM_EPSILON)
        self.enter = nn.Conv2d(channels, channels, 1)
        made = {"cmc-pe": PositionBlock, "cross-attention": VectorBlock, "joint-attention": SharedBlock}[config.kind]
        self.block = made(channels, config, by_frame)
        self.leave = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Level, condition: Condition) -> Level:
        """What is added to x."""
        frames, height, width = x.shape[2:]
        if self.norms_frames:
            normed = rearrange(
                self.norm(rearrange(x, "b c t h w -> (b t) c h w")), "(b t) c h w -> b c t h w", t=frames
            )
        else:
            normed = self.norm(x)
        inside = self.enter(rearrange(normed, "b c t h w -> b c t (h w)"))
        inside = self.block(rearrange(inside, "b c t (h w) -> b c t h w", h=height, w=width), condition)
        left = self.leave(rearrange(inside, "b c t h w -> b c t (h w)"))
        return rearrange(left, "b c t (h w) -> b c t h w", h=height, w=width)


class PositionBlock(nn.Module):
    """CMC-PE: z = attn(y + e) + y, y = norm(x), then attention and a gated layer, each added to its normed input."""

    def __init__(self, channels: int, config: ConnectorConfig, by_frame: bool) -> None:
        super().__init__()
        self.by_frame = by_frame
        self.project = Gated(config.width, channels)
        self.norm_condition = nn.GroupNorm(config.groups, channels, eps=NORM_EPSILON)
        self.conditioned = Attention(channels, config.head_width)
        self.attention = Attention(channels, config.head_width)
        self.gated = Gated(channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Level, condition: Condition) -> Level:
        tokens = _folded(x, self.by_frame)
        y = self.norms[0](tokens)
        z = self.conditioned(y + _folded(self.position(condition, x), self.by_frame)) + y
        z = self.norms[1](z)
        z = self.attention(z) + z
        z = self.norms[2](z)
        return _unfolded(self.gated(z) + z, x, self.by_frame)

    def position(self, condition: Condition, x: Level) -> Level:
        """The condition at x's time steps (nearest), the same at every place of a step."""
        e = self.norm_condition(self.project(condition.mT).mT)
        return F.interpolate(e, size=x.shape[2], mode="nearest")[..., None, None].expand(x.shape)


class VectorBlock(nn.Module):
    """A transformer block that attends to one vector: the condition has one step."""

    def __init__(self, channels: int, config: ConnectorConfig, by_frame: bool) -> None:
        super().__init__()
        self.by_frame = by_frame
        self.attention = Attention(channels, config.head_width)
        self.cross = Attention(channels, config.head_width, config.width)
        self.gated = Gated(channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Level, condition: Condition) -> Level:
        z = _folded(x, self.by_frame)
        context = condition.mT.repeat_interleave(len(z) // len(x), dim=0)
        z = self.attention(self.norms[0](z)) + z
        z = self.cross(self.norms[1](z), context) + z
        return _unfolded(self.gated(self.norms[2](z)) + z, x, self.by_frame)


class SharedBlock(nn.Module):
    """Self-attention over x and the other modality's sequence together, then a gated layer."""

    def __init__(self, channels: int, config: ConnectorConfig, by_frame: bool) -> None:
        super().__init__()
        self.heads = channels // config.head_width
        self.query, self.key, self.value = (nn.Linear(channels, channels, bias=False) for _ in range(3))
        self.other_key, self.other_value = (nn.Linear(config.width, channels, bias=False) for _ in range(2))
        self.out = nn.Linear(channels, channels)
        self.gated = Gated(channels, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.norm_other = nn.LayerNorm(config.width)  # the sequence as pooled is small beside y, by sqrt(its steps)

    def forward(self, x: Level, condition: Condition) -> Level:
        z, places = _folded(x, by_frame=False), x.shape[3] * x.shape[4]
        y, other = self.norms[0](z), self.norm_other(condition.mT)
        query, key, value = (self._heads(layer(y)) for layer in (self.query, self.key, self.value))
        other_key, other_value = (self._heads(layer(other)) for layer in (self.other_key, self.other_value))
        own, theirs = clock(x.shape[2], other.shape[1])
        own, theirs = own.to(x.device).repeat_interleave(places), theirs.to(x.device)
        keys = torch.cat((self._turned(key, own), self._turned(other_key, theirs)), dim=2)
        mixed = F.scaled_dot_product_attention(self._turned(query, own), keys, torch.cat((value, other_value), dim=2))
        z = self.out(rearrange(mixed, "b h n d -> b n (h d)")) + z
        return _unfolded(self.gated(self.norms[1](z)) + z, x, by_frame=False)

    def _heads(self, x: Tokens) -> Float[Tensor, "batch heads tokens head_width"]:
        return rearrange(x, "b n (h d) -> b h n d", h=self.heads)

    def _turned(
        self, x: Float[Tensor, "batch heads tokens head_width"], position: Float[Tensor, " tokens"]
    ) -> Float[Tensor, "batch heads tokens head_width"]:
        pairs = x.shape[-1] // 2
        rate = LONGEST_PERIOD ** (-torch.arange(pairs, device=x.device, dtype=torch.float32) / pairs)
        return rotate(x, *turned((position.float()[:, None] * rate)[None, None], x.dtype))


def clock(steps: int, other_steps: int) -> tuple[Float[Tensor, " steps"], Float[Tensor, " other_steps"]]:
    """Positions of both modalities' steps that agree where their times do: the longer one counts its steps."""
    longer = max(steps, other_steps)
    own, theirs = (torch.arange(count, dtype=torch.float32) * (longer / count) for count in (steps, other_steps))
    return own, theirs


def _folded(x: Level, by_frame: bool) -> Float[Tensor, "folded tokens channels"]:
    """Tokens of one attention: the places of a frame, or all of them."""
    return rearrange(x, "b c t h w -> (b t) (h w) c" if by_frame else "b c t h w -> b (t h w) c")


def _unfolded(z: Float[Tensor, "folded tokens channels"], x: Level, by_frame: bool) -> Level:
    sizes = dict(zip("thw", x.shape[2:], strict=True))
    if by_frame:
        return rearrange(z, "(b t) (h w) c -> b c t h w", **sizes)
    return rearrange(z, "b (t h w) c -> b c t h w", **sizes)


def pooled(y: Float[Tensor, "batch width steps a b"], kind: str) -> Condition:
    """The sequence that the other modality gets of an encoder's output: the mean over places, divided by its norm over
    time for each channel; for `cross-attention` one vector, the mean over everything, of length 1."""
    if kind == "cross-attention":
        return F.normalize(y.mean((2, 3, 4)), dim=1)[..., None]
    mean = y.mean((3, 4))
    return mean / torch.linalg.vector_norm(mean, dim=2, keepdim=True)
