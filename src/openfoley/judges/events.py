"""Event head: a small temporal network that reads events from an encoder's tokens alone.

    tokens -> standardised -> Linear -> 3 x (+ convolution over time of 5 tokens, 1, 2, 4 apart) -> 4 steps a token

It tells an encoder from a generator: what the head detects, the tokens hold; what the generator then misses, it lost.
The target of a step is exp(-(time to the nearest event)^2 / 2 s^2), s = 10 ms; an event is a local maximum of the
output above a threshold, which is chosen on clips that the head was not trained on. Some 0.1 M weights; the training is
deterministic on one machine and takes seconds, so the head is trained when needed rather than shipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from scipy.special import expit
from torch import Tensor, nn

from openfoley.judges.training import Recipe, fit

STEPS_PER_TOKEN = 4
"""10.4 ms at 24 tokens a second: a fifth of the tolerance."""
WIDTH, TAPS, SPREADS = 64, 5, (1, 2, 4)
DROPOUT = 0.1
DEVIATION_S = 0.010
EVENT_WEIGHT = 4.0
"""Of a step with an event in the loss: one in 80 has one."""
IGNORED = -1.0
"""Target of steps that are not part of the loss."""
RARE = -4.0  # logit: the share of events
APART_STEPS = 2
"""A maximum is the largest of so many steps on either side: events 31 ms apart are two."""
FAINTEST = 0.01
"""Least output of a candidate event."""

RECIPE = Recipe(epochs=40, batch=16, learning_rate=3e-3, weight_decay=0.05)


@dataclass(frozen=True)
class TokenSpan:
    """When a clip's tokens are: `first_s` of the first, `rate` Hz."""

    first_s: float
    rate: float

    def steps_s(self, tokens: int) -> Float[np.ndarray, " steps"]:
        """Times (s) of the steps' middles."""
        step = np.arange(tokens * STEPS_PER_TOKEN)
        return self.first_s + (step + 0.5) / (self.rate * STEPS_PER_TOKEN)


class TemporalTrunk(nn.Module):
    """Tokens [batch, n, dim] -> hidden [batch, n, WIDTH], and logits of `steps` steps for each token."""

    def __init__(self, dim: int, steps: int, rare: float) -> None:
        """rare: the logit of the share of events."""
        super().__init__()
        self.enter = nn.Linear(dim, WIDTH)
        self.layers = nn.ModuleList(
            [nn.Conv1d(WIDTH, WIDTH, TAPS, padding=TAPS // 2 * apart, dilation=apart) for apart in SPREADS]
        )
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in SPREADS])
        self.dropout = nn.Dropout(DROPOUT)
        self.leave = nn.Linear(WIDTH, steps)
        nn.init.constant_(self.leave.bias, rare)

    def hidden(self, tokens: Float[Tensor, "batch n dim"]) -> Float[Tensor, "batch n width"]:
        x = self.dropout(self.enter(tokens))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + F.gelu(layer(norm(x).mT).mT)
        return x

    def event_logits(self, hidden: Float[Tensor, "batch n width"]) -> Float[Tensor, "batch steps"]:
        return rearrange(self.leave(self.dropout(hidden)), "batch n steps -> batch (n steps)")


class EventHead(TemporalTrunk):
    """Tokens [batch, n, dim] -> logits [batch, n * STEPS_PER_TOKEN]."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, STEPS_PER_TOKEN, RARE)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def forward(self, tokens: Float[Tensor, "batch n dim"]) -> Float[Tensor, "batch steps"]:
        standardised = (tokens - self.get_buffer("mean")) / self.get_buffer("deviation")
        return self.event_logits(self.hidden(standardised))

    @torch.inference_mode()
    def candidates(
        self, tokens: Float[Tensor, "n dim"], span: TokenSpan
    ) -> tuple[Float[np.ndarray, " events"], Float[np.ndarray, " events"]]:
        """As `peaks`."""
        if not len(tokens):
            return np.zeros(0), np.zeros(0)
        logits = self.eval()(tokens[None])[0].double().cpu().numpy()
        return peaks(logits, float(span.steps_s(len(tokens))[0]), span.rate * STEPS_PER_TOKEN)


def peaks(
    logits: Float[np.ndarray, " steps"], first_s: float, step_rate: float
) -> tuple[Float[np.ndarray, " events"], Float[np.ndarray, " events"]]:
    """Times (s) and outputs (0..1) of the local maxima of steps, the first of which is at `first_s`, in time order;
    finer than a step by a parabola through three logits."""
    scores = expit(logits)
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(scores, APART_STEPS, constant_values=-1.0), 2 * APART_STEPS + 1
    )
    found = np.flatnonzero((scores >= around.max(1)) & (scores > FAINTEST))
    found = found[np.diff(found, prepend=-2 * APART_STEPS) > APART_STEPS]
    edged = np.pad(logits, 1, mode="edge")
    before, here, after = edged[found], edged[found + 1], edged[found + 2]
    bend = np.minimum(before - 2 * here + after, -1e-9)
    shift = np.clip((before - after) / (2 * bend), -0.5, 0.5)
    return np.maximum(first_s + (found + shift) / step_rate, 0.0), scores[found]


def event_targets(
    events_s: Float[np.ndarray, " events"],
    ignored_s: Float[np.ndarray, "spans 2"],
    span: TokenSpan,
    tokens: int,
    margin_s: float,
) -> Float[Tensor, " steps"]:
    """Targets of a clip's steps: 1 at an event, 0 away from all, IGNORED within `margin_s` of an ignored span that no
    event is in."""
    at = span.steps_s(tokens)
    distance = np.abs(at[:, None] - events_s).min(1, initial=np.inf)
    target = np.exp(-0.5 * (distance / DEVIATION_S) ** 2)
    is_ignored = ((at[:, None] >= ignored_s[:, 0] - margin_s) & (at[:, None] <= ignored_s[:, 1] + margin_s)).any(1)
    return torch.from_numpy(np.where(is_ignored & (distance > margin_s), IGNORED, target)).float()


def train_event_head(
    tokens: Float[Tensor, "clips n dim"], targets: Float[Tensor, "clips steps"], recipe: Recipe = RECIPE
) -> EventHead:
    """A head for these tokens."""

    def build() -> EventHead:
        head = EventHead(tokens.shape[-1])
        every = tokens.flatten(0, 1)
        head.get_buffer("mean").copy_(every.mean(0))
        head.get_buffer("deviation").copy_(every.std(0).clamp_min(1e-4))
        return head

    return fit(build, tokens, targets, _loss, recipe)


def _loss(logits: Float[Tensor, "clips steps"], targets: Float[Tensor, "clips steps"]) -> Float[Tensor, ""]:
    """Weighted cross entropy of the steps that are not ignored."""
    known, shares = targets != IGNORED, targets.clamp_min(0)
    weights = known * (1 + (EVENT_WEIGHT - 1) * shares)
    return F.binary_cross_entropy_with_logits(logits, shares, weight=weights, reduction="sum") / known.sum().clamp_min(
        1
    )
