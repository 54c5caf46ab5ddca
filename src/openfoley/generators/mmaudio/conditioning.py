"""What the blocks are conditioned on (arXiv 2412.15322, section 3.2), and where its tokens lie in time.

    overall = time t + unit(mean of pictures + mean of text)        one vector per sequence
    local   = overall + the sync feature at the latent              one vector per latent

Two clocks. "stretched", the published weights': n tokens are spread over all latents, token j at latent j * latents / n
(a 345-latent window lasts 8.011 s, so this is not the true time; it is what the weights were trained with). "timed":
every token at its own time, for crops of any length.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.generators.base import Places
from openfoley.generators.mmaudio.config import WINDOW_S, MMAudioConfig
from openfoley.nn.embeddings import SINUSOID_WIDTH
from openfoley.nn.gated import GatedUnit, projection
from openfoley.nn.rope import Positions, turned
from openfoley.types import TEXT, Conditions, FeatureSequence

ROTARY_BASE = 10_000.0  # arXiv 2104.09864, in latents
TIME_BASE = 10_000.0  # ratio of the fastest to the slowest of the clock's frequencies
FINE_CLOCK = 10_000.0  # radians per unit of t at the highest frequency, version 2
INPUT_KERNEL = 7  # tokens: first convolution over latents and over sync features
TIME_KERNEL = 3  # tokens
SYNC_REACH = 3 + 1 + 1  # sync features on either side that a projected one depends on: kernels 7, 3 and 3
SEGMENT_S = Fraction(16, 25)  # what the sync encoder reads at once
SEGMENT_HOP_S = Fraction(8, 25)  # and how far the next one lies from it


class TimeEmbedding(nn.Module):
    """t to the blocks' width, in float32 whatever the weights are stored in.

    Version 2's highest frequency is 10,000: in bfloat16 it would become 9,984, and t would keep 8 bits: 67 % of
    error in the sinusoids. Version 1 has 256 sinusoids whose angles never exceed 1.
    """

    def __init__(self, config: MMAudioConfig) -> None:
        super().__init__()
        self.sinusoids = config.width if config.version == 2 else SINUSOID_WIDTH
        self.scale = FINE_CLOCK if config.version == 2 else 1.0
        self.first = nn.Linear(self.sinusoids, config.width)
        self.second = nn.Linear(config.width, config.width)

    def angles(self, t: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes pairs"]:
        """float32. The frequencies' formula matters: at 10,000 another rounding is 1e-3 rad."""
        exponent = torch.arange(0, self.sinusoids, 2, dtype=torch.float32, device=t.device) / self.sinusoids
        return t.float()[..., None] * (self.scale * (1.0 / TIME_BASE**exponent))

    def forward(self, t: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes width"]:
        with torch.autocast(t.device.type, enabled=False):
            angle = self.angles(t)
            x = torch.cat((angle.cos(), angle.sin()), dim=-1)
            x = F.silu(F.linear(x, self.first.weight.float(), self.first.bias.float()))
            return F.linear(x, self.second.weight.float(), self.second.bias.float())


class TokenInput(nn.Module):
    """Projection, activation, gated unit: from features to the blocks' width."""

    def __init__(
        self, inputs: int, config: MMAudioConfig, kernel: int, unit_kernel: int, activation: nn.Module
    ) -> None:
        super().__init__()
        self.project = projection(inputs, config.width, kernel)
        self.activation = activation
        self.unit = GatedUnit(config.width, config.mlp_width, unit_kernel)

    def forward(self, x: Float[Tensor, "batch tokens inputs"]) -> Float[Tensor, "batch tokens width"]:
        return self.unit(self.activation(self.project(x)))


class Prepared(NamedTuple):
    """Conditions of a window, embedded: everything about them that does not depend on t."""

    overall: Float[Tensor, "batch width"]
    semantic: Float[Tensor, "batch n width"]
    text: Float[Tensor, "batch m width"]
    sync_rows: Float[Tensor, "rows width"]  # distinct projected sync features of all sequences
    row_owner: Int[Tensor, " rows"]  # the sequence that a row belongs to
    latent_row: Int[Tensor, "batch latents"]  # the row that a latent reads
    at_audio: Positions
    at_semantic: Positions
    row_time: Float[Tensor, " rows"]  # s after the first latent; of no meaning where a sequence has no sync features

    @property
    def places(self) -> Places:
        return Places(self.row_owner, self.row_time)

    def plus(self, overall: Float[Tensor, "batch width"], rows: Float[Tensor, "rows width"]) -> Prepared:
        """As `generators.base.Extensible`."""
        return self._replace(overall=self.overall + overall, sync_rows=self.sync_rows + rows)


class ConditionEmbedding(nn.Module):
    """Learned nulls for what is absent, and projections to the blocks' width."""

    def __init__(self, config: MMAudioConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        early = nn.SiLU() if config.version == 2 else nn.SELU()
        tokenwise = nn.SiLU() if config.version == 2 else nn.Identity()
        self.time = TimeEmbedding(config)
        self.semantic = TokenInput(config.semantic_dim, config, 1, TIME_KERNEL, tokenwise)
        self.text = TokenInput(config.text_dim, config, 1, 1, tokenwise)
        self.sync = TokenInput(config.sync_dim, config, INPUT_KERNEL, TIME_KERNEL, early)
        self.semantic_pooled = nn.Linear(width, width)
        self.text_pooled = nn.Linear(width, width)
        self.pooled = GatedUnit(width, config.mlp_width, 1)
        self.sync_place = nn.Parameter(torch.zeros(config.sync_segment, config.sync_dim))
        self.null_semantic = nn.Parameter(torch.zeros(config.semantic_dim))
        self.null_sync = nn.Parameter(torch.zeros(config.sync_dim))
        self.null_text = nn.Parameter(torch.zeros(config.text_tokens, config.text_dim))

    def forward(self, conditions: Conditions, latents: int) -> Prepared:
        dtype = self.semantic_pooled.weight.dtype
        features, place = self._picture_tokens(conditions, latents)
        semantic, text = self.semantic(features.to(dtype)), self.text(self._text_tokens(conditions).to(dtype))
        overall = self.pooled(self.semantic_pooled(semantic.mean(1)) + self.text_pooled(text.mean(1)))
        rows, kept, latent_row, time = self._sync_rows(conditions, latents, dtype)
        owner = kept // time.shape[1]
        at_audio = self._positions(torch.arange(latents, device=text.device)[None], dtype)
        at_semantic = self._positions(place, dtype)
        return Prepared(overall, semantic, text, rows, owner, latent_row, at_audio, at_semantic, time.flatten()[kept])

    def _positions(self, place: Tensor, dtype: torch.dtype) -> Positions:
        """Rotary positions of tokens that lie at latents `place` [batch or 1, n]."""
        pairs = self.config.width // self.config.heads // 2
        exponent = torch.arange(pairs, device=place.device, dtype=torch.float32) / pairs
        return turned(place.float()[:, None, :, None] * (1.0 / ROTARY_BASE**exponent), dtype)

    def _text_tokens(self, conditions: Conditions) -> Tensor:
        text = conditions[TEXT]
        return _present(text.values, text.present, self.null_text)

    def _picture_tokens(self, conditions: Conditions, latents: int) -> tuple[Tensor, Tensor]:
        """Picture features [batch, n, semantic_dim], and the latents at which they lie [batch or 1, n]."""
        config, batch = self.config, conditions.batch
        whole = max(1, latents * config.semantic_tokens // config.window_latents)
        semantic = conditions.features.get("semantic", _nothing(conditions, config.semantic_dim))
        time, features, present = semantic.time_s, semantic.values, semantic.present
        if config.clock == "timed":
            return _present(features, present, self.null_semantic), time * (config.sample_rate / config.hop_length)
        if not present.any():  # as many nulls as there would be pictures
            features, present = features.new_zeros(batch, whole, config.semantic_dim), present.new_zeros(batch, whole)
            time = torch.arange(whole, device=features.device).expand(batch, -1) * (WINDOW_S / config.semantic_tokens)
        inside = slice(0, whole)
        place = time[:, inside] * (config.semantic_tokens / WINDOW_S * latents / whole)
        return _present(features[:, inside], present[:, inside], self.null_semantic), place

    def _sync_rows(self, conditions: Conditions, latents: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Projected sync features [rows, width], their numbers among those of all sequences [rows], each latent's row
        [batch, latents], and the times of all [batch, n].

        Where a sequence has no sync features at all, what is projected repeats with the segment's period, but for a few
        at both ends: those rows are kept once (18 of 192), which spares their modulation in every block.
        """
        features, index, time = self._sync_tokens(conditions, latents)
        batch, count = features.shape[:2]
        projected = self.sync(features.to(dtype)).flatten(0, 1)
        start = count * torch.arange(batch, device=index.device)[:, None]
        if self.training:
            return projected, torch.arange(batch * count, device=index.device), start + index, time
        period = self.config.sync_segment
        number = torch.arange(count, device=index.device)
        inner = (number >= SYNC_REACH) & (number < count - SYNC_REACH)
        alike = torch.where(inner, SYNC_REACH + (number - SYNC_REACH) % period, number)
        nothing = ~conditions.has("sync")[:, None]
        kept, latent_row = torch.unique(start + torch.where(nothing, alike[index], index), return_inverse=True)
        return projected[kept], kept, latent_row, time

    def _sync_tokens(self, conditions: Conditions, latents: int) -> tuple[Tensor, Tensor, Tensor]:
        """Sync features with their places added [batch, n, sync_dim], which each latent reads [batch, latents], and
        their times [batch, n].

        The first feature given is the first of a segment. A segment that starts `late` seconds after the first latent
        (windows need not start where the encoder's segments do) is read that much later.
        """
        config, batch, sync = self.config, conditions.batch, conditions["sync"]
        features, present, time = sync.values, sync.present, sync.time_s
        if config.clock == "timed":
            centre = (torch.arange(latents, device=time.device) + 0.5) * (config.hop_length / config.sample_rate)
            middle = (time[:, 1:] + time[:, :-1]) / 2
            index = torch.searchsorted(middle.contiguous(), centre.expand(batch, -1).contiguous())
        else:
            whole = self.sync_tokens(latents)
            if not present.any():
                features = features.new_zeros(batch, whole, config.sync_dim)
                present, time = present.new_zeros(batch, whole), time.new_zeros(batch, whole)
            first, late = _nearest_segment(time[0], config.sync_segment)
            whole = min(whole, features.shape[1] - first)
            # In float32, as in training: of 345 latents two fall on 32 and 96 exactly, and were rounded to below.
            position = (torch.arange(latents, device=time.device) + 0.5) * torch.tensor(whole / latents).to(time.device)
            shift = late * config.window_latents / WINDOW_S * whole / latents
            index = (position - shift).floor().long().clamp(-first, features.shape[1] - first - 1)
            low, high = first + int(index.amin()), first + int(index.amax()) + 1
            place = torch.arange(low, high, device=time.device) % config.sync_segment
            features = _present(features[:, low:high], present[:, low:high], self.null_sync) + self.sync_place[place]
            return features, (index + first - low).expand(batch, -1), time[:, low:high]
        place = torch.arange(features.shape[1], device=time.device) % config.sync_segment
        return _present(features, present, self.null_sync) + self.sync_place[place], index, time

    def sync_tokens(self, latents: int) -> int:
        """How many sync features the encoder gives for so many latents: those of whole segments, at least one."""
        config = self.config
        duration = Fraction(WINDOW_S * latents, config.window_latents)
        segments = segments_in(duration) * config.sync_tokens // (config.sync_segment * segments_in(Fraction(WINDOW_S)))
        return config.sync_segment * max(1, segments)


def segments_in(duration: Fraction) -> int:
    """Whole segments in `duration` s: 24 in a training window."""
    return floor((duration - SEGMENT_S) / SEGMENT_HOP_S) + 1


def _nearest_segment(time: Tensor, segment: int) -> tuple[int, float]:
    """Of the segments that the features at `time` [n] come from, the one nearest to 0: index and time (s)."""
    starts = time[::segment]
    nearest = int(starts.abs().argmin())
    return nearest * segment, float(starts[nearest])


def _nothing(conditions: Conditions, dim: int) -> FeatureSequence:
    """The sequence of an encoder that a model does not have (SelVA has none for whole pictures)."""
    values = torch.zeros(conditions.batch, 0, dim, device=conditions.device)
    return FeatureSequence(values, values[..., 0], values[..., 0].bool())


def _present(features: Tensor, present: Tensor, null: Tensor) -> Tensor:
    return torch.where(present[..., None], features, null.to(features.dtype))
