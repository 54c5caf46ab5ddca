"""The plan covers every latent exactly once as new, whatever the duration."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfoley.errors import UsageError
from openfoley.longform.plan import describe, latents_for, plan_windows

RATE = Fraction(44100, 1024)


@settings(max_examples=200, deadline=None)
@given(milliseconds=st.integers(1, 3_600_000), context=st.integers(0, 88), window=st.integers(178, 640))
def test_every_latent_is_new_exactly_once(milliseconds: int, context: int, window: int) -> None:
    duration = Fraction(milliseconds, 1000)
    plan = plan_windows(duration, RATE, window=window, context=context)
    new = [n for w in plan for n in range(w.first_latent + w.context, w.end_latent)]
    assert new == list(range(latents_for(duration, RATE)))
    assert plan[0].context == 0 and plan[0].first_latent == 0
    assert all(w.context == context for w in plan[1:])
    assert all(w.latent_count <= window for w in plan)


@settings(max_examples=100, deadline=None)
@given(milliseconds=st.integers(8_100, 600_000))
def test_no_window_is_tiny(milliseconds: int) -> None:
    sizes = [w.latent_count for w in plan_windows(Fraction(milliseconds, 1000), RATE)]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 345 // 2


def test_eight_seconds_is_one_window_of_345_latents() -> None:
    (window,) = plan_windows(Fraction(8), RATE)
    assert (window.first_latent, window.latent_count, window.context) == (0, 345, 0)


def test_a_single_frame_still_has_a_latent() -> None:
    (window,) = plan_windows(Fraction(1, 1000), RATE)
    assert window.latent_count == 1


def test_plan_prints_one_line_a_window() -> None:
    plan = plan_windows(Fraction(20), RATE)
    assert len(describe(plan, RATE).splitlines()) == 1 + len(plan)


@pytest.mark.parametrize("context", [-1, 345])
def test_context_must_be_shorter_than_the_window(context: int) -> None:
    with pytest.raises(UsageError, match="context"):
        plan_windows(Fraction(20), RATE, context=context)


def test_no_duration_is_refused() -> None:
    with pytest.raises(UsageError, match="duration"):
        plan_windows(Fraction(0), RATE)
