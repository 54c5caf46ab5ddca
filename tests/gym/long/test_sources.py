"""Lasting sources: what is seen, when they begin and end, and a sound that depends on the time alone."""

import numpy as np
import pytest
import torch

from openfoley.gym.long import timbre
from openfoley.gym.long.sources import LEVELS, SOURCES, Span, source_of
from openfoley.gym.long.timbre import FIRINGS, lasting_wave
from openfoley.gym.records import GymObject, Performance

WHOLE = Span(10.0, 40.0)
SPANS = {"whole": WHOLE, "begins": Span(10.0, 40.0, begins_s=22.0), "ends": Span(10.0, 40.0, ends_s=31.0)}
RATE = 44_100


def made(kind: str, span: Span = WHOLE) -> Performance:
    return source_of(kind, np.random.default_rng(5), span, 0.4, "source00")


def thing(action: str, material: str = "water") -> GymObject:
    return GymObject("x", "", material, 0.4, 77, action)


@pytest.mark.parametrize("name", SPANS)
def test_running_time_is_the_integral_of_the_gate(name: str) -> None:
    span = SPANS[name]
    t = np.arange(10.0, 40.0, 0.001)
    assert np.allclose(np.gradient(span.running(t), t)[2:-2], span.gate(t)[2:-2], atol=2e-3)
    assert span.running(np.array([10.0]))[0] == pytest.approx(0.0, abs=1e-9)
    inside = (t > span.sounding[0] + 1.1) & (t < span.sounding[1] - 1.1)
    assert np.all(span.gate(t[inside]) == 1.0) and inside.any()


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_is_one_object_that_moves_while_it_sounds_and_fits_its_place(kind: str) -> None:
    act = made(kind)
    assert len(act.objects) == 1 and {p.object_id for p in act.parts} <= {None, "source00"} and act.caption
    t = np.arange(12.0, 38.0, 0.01)
    seen = [np.ptp(p.position(t), axis=0).max() + (np.ptp(p.angle(t)) if p.angle else 0.0) for p in act.parts]
    assert max(seen) > 0.05
    for one in act.frictions:
        assert (one.start_s, one.end_s, one.clock_s) == (10.0, 40.0, 0.0)
        assert 0.3 * LEVELS[0] < one.level(t).min() and one.level(t).max() < 1.0
    if kind == "walk":
        times = np.array([c.time_s for c in act.contacts])
        assert 10.0 <= times.min() and times.max() < 40.0 and np.diff(times).std() < 0.03 * np.diff(times).mean()
        assert max(abs(c.position[0]) for c in act.contacts) < 1.0


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("name", ["begins", "ends"])
def test_where_a_source_begins_or_ends_it_is_silent_and_still_before_or_after(kind: str, name: str) -> None:
    span = SPANS[name]
    act = made(kind, span)
    quiet = np.arange(10.0, 21.9, 0.05) if name == "begins" else np.arange(31.1, 40.0, 0.05)
    shown = [p for p in act.parts if p.opacity is None or p.opacity(quiet).max() > 0]
    moves = [np.ptp(p.position(quiet), axis=0).max() for p in shown]
    turns = [np.ptp(p.angle(quiet)) for p in shown if p.angle]
    assert max([*moves, *turns], default=0.0) < 0.02
    assert all(one.level(quiet).max() == 0 for one in act.frictions)
    assert not any(quiet[0] < c.time_s < quiet[-1] for c in act.contacts)


@pytest.mark.parametrize("action", ["rain", "fire", "fan", "stream", "roll", "pour"])
def test_a_span_of_a_lasting_sound_is_the_same_however_it_is_cut(action: str) -> None:
    one = thing(action)
    whole = lasting_wave(one, action, -5000, 60_000, RATE)
    parts = [lasting_wave(one, action, first, 12_000, RATE) for first in range(-5000, 55_000, 12_000)]
    assert whole.shape == (60_000,) and torch.allclose(torch.cat(parts), whole, atol=2e-6)
    assert 0.1 < float(whole.square().mean()) < 3.0


def test_an_engines_tone_follows_its_wheel() -> None:
    one, t = thing("engine", "steel"), np.arange(4 * RATE) / RATE
    for per_second in (1.0, 2.0):
        wave = lasting_wave(one, "engine", 0, per_second * t, RATE)
        spectrum = torch.fft.rfft(wave * torch.hann_window(len(wave))).abs()
        frequency = torch.fft.rfftfreq(len(wave), 1 / RATE)
        low = (frequency > 5) & (frequency < 200)
        strongest = float(frequency[low][spectrum[low].argmax()])
        assert abs(strongest / (FIRINGS * per_second) - round(strongest / (FIRINGS * per_second))) < 0.02
        assert 0.3 < float(wave.square().mean()) < 2.0


def test_two_objects_of_one_kind_sound_different_and_the_same_one_alike() -> None:
    one = thing("rain")
    other = GymObject("y", "", "water", 0.4, 78, "rain")
    assert torch.equal(lasting_wave(one, "rain", 0, 9000, RATE), lasting_wave(thing("rain"), "rain", 0, 9000, RATE))
    assert not torch.equal(lasting_wave(one, "rain", 0, 9000, RATE), lasting_wave(other, "rain", 0, 9000, RATE))


def test_noise_keeps_its_power_between_blocks() -> None:
    wave = lasting_wave(thing("rain"), "rain", 0, 40 * timbre.BLOCK, RATE).double()
    power = wave.square().reshape(-1, timbre.BLOCK // 8).mean(1).reshape(-1, 4).mean(0)  # by place in half a block
    assert float(power.max() / power.min()) < 1.15
