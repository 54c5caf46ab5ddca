"""Sync encoder: when does something happen? (SALSA-V, arXiv 2510.02916, sections 3.1 and A.4)

    frames -> VideoPrism backbone -> + spatial layers (within each frame) -> + temporal layers (along each patch)
           -> attention pooling over the patches -> one feature per frame, 24 per second

The backbone and the layers are transformers' VideoPrism (factorised attention as in ViViT, arXiv 2103.15691, model 2).
At full size the backbone is frozen and the added layers and the pooling are trained; the Gym size trains all of it.

Snippets have 16 frames (0.667 s). At inference they are tiled on the absolute clock: window j starts at frame j * hop.
With hop 16 (paper) they abut; with a smaller hop each frame is taken from the window that holds it most centrally.

Beyond the paper, at Gym size, where no pretrained VideoPrism exists and training lasts minutes (docs/log.md):
- `sees`: input channels: motion instead of plain colours, or both (see `motion`);
- `stem_widths`: convolutions in space and time make the patch tokens (see `conv_stem`);
- with it, the pooling adds the largest value over the patches to MAP's mean-like one: an event fills one patch of 36;
- `appearance`: the semantic encoder's picture tower under the added layers (see `appearance`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from openfoley.encoders import appearance
from openfoley.encoders.appearance import Appearance, AppearanceConfig
from openfoley.encoders.base import CUBIC_REACH, Frames, Inputs, Outputs
from openfoley.encoders.conv_stem import PATCH_SIZE, ConvStem
from openfoley.encoders.masking import attention_bias, mostly_seen, patch_shares
from openfoley.encoders.motion import COLOUR_CHANNELS, MOTION_CHANNELS, motion_channels
from openfoley.encoders.pooling import AttentionPooling
from openfoley.encoders.streams import HeldFrames, encoded_by_rows

WINDOWS_PER_CALL = 8  # windows through the network at once; fixed, so that chunking cannot change a rounding


@dataclass(frozen=True)
class SyncConfig:
    """Shape of the video tower. snippet_hop: frames between windows at inference; stem_widths: of the convolutional
    stem, None for the patch projection; softcap: of attention logits; appearance: None for the backbone alone."""

    rate: Fraction
    image_size: int
    patch_size: int
    snippet_frames: int
    snippet_hop: int
    sees: Literal["colours", "motion", "motion and colours"]
    stem_widths: tuple[int, int, int] | None
    hidden_size: int
    heads: int
    mlp_size: int
    activation: str
    softcap: float
    spatial_layers: int
    temporal_layers: int
    freeze_backbone: bool
    added_spatial_layers: int
    added_temporal_layers: int
    appearance: AppearanceConfig | None


FULL = SyncConfig(
    rate=Fraction(24),
    image_size=288,
    patch_size=18,
    snippet_frames=16,
    snippet_hop=16,
    sees="colours",
    stem_widths=None,
    hidden_size=768,
    heads=12,
    mlp_size=3072,
    activation="gelu_python",
    softcap=50.0,
    spatial_layers=12,
    temporal_layers=4,
    freeze_backbone=True,
    added_spatial_layers=4,
    added_temporal_layers=2,
    appearance=None,
)

GYM = SyncConfig(
    rate=Fraction(24),
    image_size=96,
    patch_size=16,
    snippet_frames=16,
    snippet_hop=8,
    sees="motion and colours",
    stem_widths=(32, 64, 128),
    hidden_size=128,
    heads=4,
    mlp_size=256,
    activation="gelu",
    softcap=50.0,
    spatial_layers=1,
    temporal_layers=1,
    freeze_backbone=False,
    added_spatial_layers=1,
    added_temporal_layers=1,
    appearance=appearance.GYM,
)


Snippets = Float[Tensor, "batch frames 3 height width"]


class SyncEncoder(nn.Module):
    """Video tower. `forward` is for one batch of snippets, `encode` and `stream` for whole videos."""

    def __init__(self, config: SyncConfig) -> None:
        from transformers.models.videoprism.configuration_videoprism import VideoPrismVisionConfig
        from transformers.models.videoprism.modeling_videoprism import VideoPrismLayer, VideoPrismVisionModel

        super().__init__()
        self.config = config
        self.rate = config.rate
        self.height = self.width = config.image_size
        self.dim = config.hidden_size
        self.patches = (config.image_size // config.patch_size) ** 2
        channels = {
            "colours": COLOUR_CHANNELS,
            "motion": MOTION_CHANNELS,
            "motion and colours": MOTION_CHANNELS + COLOUR_CHANNELS,
        }[config.sees]
        prism = VideoPrismVisionConfig(
            image_size=config.image_size,
            num_frames=config.snippet_frames,
            tubelet_size=(1, config.patch_size, config.patch_size),
            num_channels=channels,
            hidden_size=config.hidden_size,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_size,
            hidden_act=config.activation,
            num_spatial_layers=config.spatial_layers,
            num_temporal_layers=config.temporal_layers,
            attn_logit_softcapping=config.softcap,
        )
        self.backbone = VideoPrismVisionModel(prism)
        if config.stem_widths is not None:
            if config.patch_size != PATCH_SIZE:
                raise ValueError(
                    f"the convolutional stem makes patches of 16 pixels, got patch_size {config.patch_size}"
                )
            stem = ConvStem(channels, config.stem_widths, config.hidden_size)
            self.backbone.spatial_embeddings.patch_embeddings.projection = stem  # type: ignore[assignment]
        self.backbone.requires_grad_(not config.freeze_backbone)
        prism = self.backbone.config  # with its attention implementation settled (eager: the others drop the softcap)
        self.appearance = None
        if config.appearance is not None:
            if config.snippet_frames % config.appearance.every or config.patch_size != PATCH_SIZE:
                raise ValueError(
                    f"the appearance reads one frame in {config.appearance.every} and has patches of {PATCH_SIZE} "
                    f"pixels, got snippets of {config.snippet_frames} frames and patches of {config.patch_size}"
                )
            self.appearance = Appearance(config.appearance, config.image_size, config.hidden_size)
        self.added_spatial = nn.ModuleList([VideoPrismLayer(prism) for _ in range(config.added_spatial_layers)])
        self.added_temporal = nn.ModuleList([VideoPrismLayer(prism) for _ in range(config.added_temporal_layers)])
        for layer in [*self.added_spatial, *self.added_temporal]:
            layer.apply(self.backbone._init_weights)
        self.pooling = AttentionPooling(config.hidden_size, config.heads, config.mlp_size)
        self.peak = nn.Linear(config.hidden_size, config.hidden_size) if config.stem_widths is not None else None
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, pictures: Snippets) -> Float[Tensor, "batch frames dim"]:
        """Pictures in 0..1 -> one feature a frame."""
        return self.pool(self.tokens(pictures))

    def tokens(self, pictures: Snippets) -> Float[Tensor, "batch frames patches dim"]:
        """Pictures in 0..1 -> patch tokens, row by row from the top left."""
        batch, frames = pictures.shape[:2]
        looks = None if self.appearance is None else self.appearance(pictures)
        if self.config.sees != "colours":
            pictures = motion_channels(pictures, colours=self.config.sees == "motion and colours")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.freeze_backbone):
            tokens = self.backbone(pixel_values_videos=pictures).last_hidden_state
        tokens = tokens.unflatten(1, (frames, -1)).flatten(0, 1)  # [batch frames, patches, dim]
        if looks is not None:
            tokens = tokens + looks.flatten(0, 1)
        for layer in self.added_spatial:
            tokens = layer(tokens)
        tokens = rearrange(tokens, "(b t) p d -> (b p) t d", b=batch)
        for layer in self.added_temporal:
            tokens = layer(tokens)
        return rearrange(tokens, "(b p) t d -> b t p d", b=batch)

    def pool(self, tokens: Float[Tensor, "batch frames patches dim"]) -> Float[Tensor, "batch frames dim"]:
        """One feature a frame."""
        return pooled(tokens, self.pooling, self.peak, self.norm)

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n dim"]:
        """One feature a frame; on a CPU row by row, so that a row never depends on others, on a GPU together, which is
        what keeps it busy."""
        if frames.device.type != "cpu":
            return self.encode_together(frames)
        return encoded_by_rows(self, frames)

    @torch.no_grad()
    def encode_together(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch time dim"]:
        """As `encode`, all windows of all rows through the network at once: memory grows with rows and time."""
        total, length, hop = frames.shape[1], self.config.snippet_frames, self.config.snippet_hop
        last = max(0, total - length)
        starts = torch.tensor([*range(0, last, hop), last])
        owned_to = (starts + (length - hop) // 2 + hop).clamp(max=total)  # frames that a window owns, see SyncStream
        owned_to[-1] = total
        index = (starts[:, None] + torch.arange(length)).clamp(max=total - 1)
        windows = frames[:, index.to(frames.device)].flatten(0, 1)
        features = self(windows.to(next(self.parameters()).dtype) / 255).float().unflatten(0, (len(frames), -1))
        frame = torch.arange(total)
        owner = torch.searchsorted(owned_to, frame, right=True)
        return features[:, owner.to(frames.device), (frame - starts[owner]).to(frames.device)]

    def stream(self, live: bool = False) -> "SyncStream":
        """live: windows go through the network one at a time, which gives features soonest."""
        return SyncStream(self, self, 1 if live else WINDOWS_PER_CALL)

    def token_stream(self, live: bool = False) -> "SyncStream":
        """The tokens of all patches of a frame one behind the other, [m, patches * dim]."""
        return SyncStream(self, lambda one: self.tokens(one).flatten(2), 1 if live else WINDOWS_PER_CALL)

    def mask_stream(self) -> "SyncStream":
        """Frames of a mask -> the seen share of each patch (`encoders.base.Maskable`)."""
        return SyncStream(self, lambda one: patch_shares(one, self.config.patch_size))

    @property
    def inputs(self) -> Inputs:
        return Inputs(Frames(self.rate, self.height, self.width))

    @property
    def outputs(self) -> Outputs:
        return Outputs(
            self.dim, self.rate, reach=CUBIC_REACH, live_lag=self.config.snippet_frames + self.config.snippet_hop
        )


def pooled(
    tokens: Float[Tensor, "batch frames patches dim"],
    pooling: AttentionPooling,
    peak: nn.Module | None,
    norm: nn.LayerNorm,
    seen: Float[Tensor, "batch frames patches"] | None = None,
) -> Float[Tensor, "batch frames dim"]:
    """One feature a frame from its patch tokens. seen: the share of each patch that counts (`masking`); None: all."""
    bias = None if seen is None else attention_bias(seen).flatten(0, 1)
    features = pooling(tokens.flatten(0, 1), bias).unflatten(0, tokens.shape[:2])
    if peak is not None:
        peaks = peak(tokens)
        peaks = peaks if seen is None else peaks.masked_fill(~mostly_seen(seen)[..., None], float("-inf"))
        features = features + peaks.amax(2)
    return norm(features)


class SyncStream(HeldFrames):
    """Tiles a video with windows as its frames arrive; holds little more than WINDOWS_PER_CALL windows. compute: what
    snippets become, a row of numbers for each frame.

    Window j covers frames [j hop, j hop + 16) and owns its central hop frames; the first also owns its head, the last
    its tail. The last is moved back to end with the video; a video shorter than a window is filled up with its last
    frame.
    """

    def __init__(
        self, encoder: SyncEncoder, compute: Callable[[Tensor], Tensor], at_once: int = WINDOWS_PER_CALL
    ) -> None:
        super().__init__()
        self.encoder, self.compute, self.at_once = encoder, compute, at_once
        self.length = encoder.config.snippet_frames
        self.hop = encoder.config.snippet_hop
        self.margin = (self.length - self.hop) // 2  # frames before those that a window owns
        self.next_window = 0  # first frame of the next window
        self.done = 0  # features given out

    def push(
        self, frames: UInt8[Tensor, "frames 3 height width"], first_index: int
    ) -> list[Float[Tensor, "features dim"]]:
        self.hold(frames, first_index)
        results = []
        span = self.length + (self.at_once - 1) * self.hop
        # a whole further window must be there, else the video's last window might reach back before what is kept
        while self.next_index >= self.next_window + span + self.hop:
            starts = [self.next_window + i * self.hop for i in range(self.at_once)]
            results.append(self._features(starts, starts[-1] + self.margin + self.hop))
            self.next_window = starts[-1] + self.hop
            self.held = self.held[self.next_window - self.held_from :]
        return results

    def flush(self) -> list[Float[Tensor, "features dim"]]:
        total = self.next_index
        if self.done >= total:
            return []
        last = max(0, total - self.length)
        starts = [*range(self.next_window, last, self.hop), last]
        return [self._features(starts, total)]

    @torch.no_grad()
    def _features(self, starts: list[int], end: int) -> Tensor:
        """Features done .. end - 1 from windows at `starts`; each frame is of the first window that owns it."""
        parameter = next(self.encoder.parameters())
        windows = []
        for start in starts:
            window = self.held[start - self.held_from : start - self.held_from + self.length]
            windows.append(torch.stack(window + [window[-1]] * (self.length - len(window))))
        pictures = torch.stack(windows).to(parameter.device).to(parameter.dtype) / 255
        outputs = self.compute(pictures).float()
        parts = []
        for start, output in zip(starts, outputs, strict=True):
            stop = end if start == starts[-1] else min(end, start + self.margin + self.hop)
            parts.append(output[self.done - start : stop - start])
            self.done = stop
        return torch.cat(parts)
