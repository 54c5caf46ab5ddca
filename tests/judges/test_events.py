"""The event head on token streams whose events are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from openfoley.data.gym_cache import DURATION_S
from openfoley.evaluation.metrics.candidates import Candidates, best_threshold
from openfoley.evaluation.metrics.f1 import clip_sums, pooled_f1
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.judges.events import (
    IGNORED,
    STEPS_PER_TOKEN,
    EventHead,
    TokenSpan,
    event_targets,
    train_event_head,
)

SPAN, TOKENS, DIM = TokenSpan(0.0, 24.0), 192, 12


def toy_clips(count: int, seed: int) -> tuple[list[Tensor], list[Truth]]:
    """Noise; an event raises one channel by its place between the two tokens around it, a decoy raises another."""
    rng = np.random.default_rng(seed)
    tokens, truths = [], []
    for _ in range(count):
        values = rng.normal(0, 0.3, (TOKENS, DIM))
        times = np.sort(rng.uniform(0.1, DURATION_S - 0.1, 8))
        times = times[np.diff(times, prepend=-1) > 0.08]
        for channel, at in [(3, t) for t in times] + [(5, t) for t in rng.uniform(0.1, 7.9, 6)]:
            first, share = int(at * 24), at * 24 % 1
            values[first, channel] += 3 * (1 - share)
            values[first + 1, channel] += 3 * share
        tokens.append(torch.from_numpy(values).float())
        truths.append(from_dict({"duration_s": DURATION_S, "events": [{"time_s": t, "action": "hit"} for t in times]}))
    return tokens, truths


def targets_of(truths: list[Truth]) -> Tensor:
    return torch.stack([event_targets(t.scored_s, t.ignored_spans, SPAN, TOKENS, 0.05) for t in truths])


def found_by(head: EventHead, tokens: list[Tensor]) -> list[Candidates]:
    return [Candidates(*head.candidates(one, SPAN)) for one in tokens]


def test_the_head_learns_the_events_of_a_toy_stream_and_no_decoys() -> None:
    tokens, truths = toy_clips(48, 0)
    state = torch.random.get_rng_state()
    head = train_event_head(torch.stack(tokens), targets_of(truths))
    assert torch.equal(state, torch.random.get_rng_state())
    threshold, _ = best_threshold(*(lambda t, u: (found_by(head, t), u))(*toy_clips(8, 1)))
    tokens, truths = toy_clips(16, 2)
    found = found_by(head, tokens)
    sums = clip_sums([one.above(threshold) for one in found], truths, 0.025).sum(0)
    assert pooled_f1(sums[None])[0] > 0.9
    shuffled = clip_sums([one.above(threshold) for one in found[1:] + found[:1]], truths, 0.025).sum(0)
    assert pooled_f1(shuffled[None])[0] < 0.4


def test_the_same_clips_give_the_same_head() -> None:
    tokens, truths = toy_clips(4, 3)
    heads = [train_event_head(torch.stack(tokens), targets_of(truths)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(h.state_dict().values() for h in heads), strict=True))
    assert 50_000 < sum(p.numel() for p in EventHead(768).parameters()) < 150_000


def test_targets_peak_at_events_and_ignore_spans_without_one() -> None:
    target = event_targets(np.array([1.0]), np.array([[0.98, 1.2], [3.0, 3.0]]), SPAN, TOKENS, 0.05)
    at = SPAN.steps_s(TOKENS)
    assert len(target) == TOKENS * STEPS_PER_TOKEN and abs(at[int(target.argmax())] - 1.0) < 0.006
    assert float(target.max()) > 0.85
    assert bool((target[(at > 1.06) & (at < 1.24)] == IGNORED).all())
    assert bool((target[(at > 0.95) & (at < 1.05)] >= 0).all())
    assert bool((target[(at > 2.96) & (at < 3.04)] == IGNORED).all()) and float(target[(at > 4)].abs().max()) < 1e-6


@pytest.mark.parametrize("event_s", [1.0, 1.003, 1.012])
def test_candidates_are_local_maxima_timed_finer_than_a_step(event_s: float) -> None:
    class Known(EventHead):
        def forward(self, tokens: Tensor) -> Tensor:
            at = torch.from_numpy(SPAN.steps_s(TOKENS))
            distance = torch.minimum((at - event_s).abs(), (at - event_s - 0.2).abs())
            return (4 - (distance / 0.01) ** 2).float()[None]

    times_s, scores = Known(DIM).candidates(torch.zeros(TOKENS, DIM), SPAN)
    np.testing.assert_allclose(times_s, [event_s, event_s + 0.2], atol=1e-3)
    assert scores.min() > 0.9
    assert all(len(part) == 0 for part in EventHead(DIM).candidates(torch.zeros(0, DIM), SPAN))
