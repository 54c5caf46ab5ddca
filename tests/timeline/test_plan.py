"""The plan covers every latent exactly once as new, whatever the duration."""

from fractions import Fraction
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openfoley.errors import UsageError
from openfoley.request import Cue, Cut
from openfoley.timeline.plan import OVERLAP_LATENTS, Window, WindowLayout, describe, make_plan, sampled_for
from openfoley.timeline.shots import Shot, shots_of

RATE = Fraction(44100, 1024)


def plan_windows(duration: Fraction, **options: int) -> list[Window]:
    """The windows of one shot of `duration` s."""
    return [one.window for one in make_plan([Shot(0, Fraction(0), duration, "start")], RATE, WindowLayout(**options))]


@settings(max_examples=200, deadline=None)
@given(milliseconds=st.integers(1, 3_600_000), context=st.integers(0, 88), window=st.integers(178, 640))
def test_every_latent_is_new_exactly_once(milliseconds: int, context: int, window: int) -> None:
    duration = Fraction(milliseconds, 1000)
    plan = plan_windows(duration, window=window, context=context)
    new = [n for w in plan for n in range(w.first_latent + w.context, w.new_end)]
    assert new == list(range(ceil(duration * RATE)))
    assert plan[0].context == 0 and plan[0].first_latent == 0
    assert all(w.context == context for w in plan[1:])
    assert all(w.latent_count <= window for w in plan)


@settings(max_examples=100, deadline=None)
@given(milliseconds=st.integers(8_100, 600_000))
def test_no_window_is_tiny(milliseconds: int) -> None:
    sizes = [w.latent_count for w in plan_windows(Fraction(milliseconds, 1000))]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 345 // 2


@settings(max_examples=100, deadline=None)
@given(milliseconds=st.integers(1, 600_000), window=st.integers(178, 640))
def test_a_window_makes_more_than_it_keeps_where_another_follows(milliseconds: int, window: int) -> None:
    plan = plan_windows(Fraction(milliseconds, 1000), window=window)
    last = plan[-1]
    assert plan[0].crossfaded == 0 and last.overlap == 0 and last.new_end == last.end_latent
    for one, following in pairwise(plan):
        assert one.overlap == min(OVERLAP_LATENTS, last.new_end - one.new_end)
        assert following.crossfaded == min(one.overlap, following.new_end - one.new_end)
        assert following.first_latent + following.context == one.new_end == one.end_latent - one.overlap


def test_eight_seconds_is_one_window_of_345_latents() -> None:
    (window,) = plan_windows(Fraction(8))
    assert (window.first_latent, window.latent_count, window.context) == (0, 345, 0)


def test_a_single_frame_still_has_a_latent() -> None:
    (window,) = plan_windows(Fraction(1, 1000))
    assert window.latent_count == 1


def test_plan_prints_one_line_a_window() -> None:
    plan = make_plan(shots_of(Fraction(20), [Cut(Fraction(7))], "reset"), RATE)
    assert len(describe(plan, RATE).splitlines()) == 1 + len(plan)


@pytest.mark.parametrize("context", [-1, 345])
def test_context_must_be_shorter_than_the_window(context: int) -> None:
    with pytest.raises(UsageError, match="context"):
        plan_windows(Fraction(20), context=context)


CUTS = st.lists(st.integers(1, 59_999), max_size=12).map(lambda ms: [Cut(Fraction(m, 1000)) for m in ms])


@settings(max_examples=200, deadline=None)
@given(cuts=CUTS, rule=st.sampled_from(["auto", "carry", "reset"]), context=st.integers(0, 88))
def test_windows_never_straddle_a_cut(cuts: list[Cut], rule: str, context: int) -> None:
    """New latents lie in their shot (to a latent at a carried cut, with the fade's margin at a fresh start), and no
    fresh start knows anything."""
    shots = shots_of(Fraction(60), cuts, rule)  # type: ignore[arg-type]
    slack = 2 / RATE
    for one in make_plan(shots, RATE, WindowLayout(context=context)):
        assert one.shot.start - slack <= one.first_new / RATE
        assert one.window.end_latent / RATE <= one.shot.end + slack
        assert one.join != "reset" or one.window.context == 0
        assert one.first_new < one.window.new_end and one.window.latent_count <= 345


@settings(max_examples=100, deadline=None)
@given(cuts=CUTS, context=st.integers(0, 88))
def test_carried_cuts_leave_no_gap(cuts: list[Cut], context: int) -> None:
    plan = make_plan(shots_of(Fraction(60), cuts, "carry"), RATE, WindowLayout(context=context))
    new = [n for one in plan for n in range(one.first_new, one.window.new_end)]
    assert new == list(range(ceil(60 * RATE)))


def test_a_fresh_start_overlaps_the_sound_before_by_the_fade_alone() -> None:
    before, after = make_plan(shots_of(Fraction(10), [Cut(Fraction(4))], "reset"), RATE)
    hop = 1024
    assert after.window.first_latent * hop <= 4 * 44100 - 110 and before.window.new_end * hop >= 4 * 44100 + 110
    assert before.window.new_end - after.window.first_latent <= 2


def test_a_flash_carries_on_and_returns_afresh_in_the_automatic_rule() -> None:
    shots = shots_of(Fraction(20), [Cut(Fraction(8)), Cut(Fraction(83, 10))], "auto")
    assert [shot.join for shot in shots] == ["start", "carry", "reset"]
    assert [shot.join for shot in shots_of(Fraction(20), [Cut(Fraction(8), "carry")], "reset")] == ["start", "carry"]


@settings(max_examples=200, deadline=None)
@given(
    cuts=CUTS, start=st.integers(0, 59_000), length=st.integers(20, 40_000), context=st.integers(0, 107),
)  # fmt: skip
def test_a_span_is_covered_once_and_known_latents_stay_in_its_shots(
    cuts: list[Cut], start: int, length: int, context: int
) -> None:
    shots = shots_of(Fraction(60), cuts, "reset")
    span = (Fraction(start, 1000), min(Fraction(60), Fraction(start + length, 1000)))
    plan = make_plan(shots, RATE, WindowLayout(context=context), span=span)
    assert plan[0].first_new <= span[0] * RATE and plan[-1].window.new_end >= span[1] * RATE
    for one, following in pairwise(plan):
        assert (
            following.first_new == one.window.new_end
            if following.join == "continue"
            else following.first_new >= one.first_new
        )
    assert plan[0].window.first_latent >= plan[0].shot.start * RATE - (plan[0].window.context == 0)
    assert plan[-1].window.after == 0 or plan[-1].window.end_latent <= plan[-1].shot.end * RATE
    for one in plan:
        assert one.window.new_end > one.first_new and one.window.latent_count <= 345
        assert one.window.context <= context and one.window.after <= context


def test_a_cue_splits_a_shot_and_continues_its_sound() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Note:
        start: Fraction
        end: Fraction
        prompt: str | None
        negative_prompt: str | None = None
        seed: int | None = None
        guidance: float | None = None

    note = Note(Fraction(2), Fraction(5), "rain")
    plan = make_plan(shots_of(Fraction(8), [], "auto"), RATE, cues=[note])
    assert [(one.cue, one.join) for one in plan] == [(None, "start"), (note, "continue"), (None, "continue")]
    assert [one.window.context for one in plan] == [0, 22, 22]
    assert [one.window.overlap for one in plan] == [22, 22, 0]
    assert [one.window.crossfaded for one in plan] == [0, 0, 0]  # a cue's sound is its own from its edge on
    assert [one.window.new_end for one in plan[:-1]] == [one.first_new for one in plan[1:]]


def test_of_a_stem_only_the_windows_in_its_cues_and_their_neighbours_are_sampled() -> None:
    cue = Cue(Fraction(100), Fraction(101), "a door", stem="door")
    plan = make_plan(shots_of(Fraction(200), (), "auto"), RATE, WindowLayout(345, 22), cues=(cue,))
    stem = sampled_for(plan, (cue,), RATE)
    sampled = [one for one in stem if not one.silent]
    assert len(plan) > 25 and len(sampled) == 3 and [one.cue for one in sampled] == [None, cue, None]
    assert sampled[0].window.context == 0 and sampled[0].first_new == plan[stem.index(sampled[0])].first_new
    assert sampled[1:] == [one for one in plan if one.cue == cue or one.first_new == sampled[1].window.new_end]
    assert [one.window.new_end for one in stem] == [one.window.new_end for one in plan]
    assert describe(stem, RATE).count(" silent") == len(plan) - 3


def test_a_cut_keeps_a_stem_from_reaching_over_it() -> None:
    cue = Cue(Fraction(10), Fraction(12), stem="door")
    shots = shots_of(Fraction(30), [Cut(Fraction(10)), Cut(Fraction(12))], "reset")
    plan = make_plan(shots, RATE, WindowLayout(345, 22), cues=(cue,))
    assert [one.shot.index for one in sampled_for(plan, (cue,), RATE) if not one.silent] == [1]


def test_a_cue_shorter_than_a_latent_has_its_window_sampled() -> None:
    cue = Cue(Fraction(10), Fraction(10) + Fraction(1, 1000), stem="click")
    plan = make_plan(shots_of(Fraction(60), (), "auto"), RATE, WindowLayout(345, 22), cues=(cue,))
    assert any(not one.silent for one in sampled_for(plan, (cue,), RATE))
