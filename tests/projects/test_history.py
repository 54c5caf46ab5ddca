"""The verbs on records: what sounds, what is locked, and that every way back leads forward again."""

import importlib.util
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from openfoley.errors import UsageError
from openfoley.projects.history import add_takes, choose, lock, passed, redo, set_to, undo, unlock
from openfoley.projects.record import Settings
from openfoley.request import Cut, Request

_spec = importlib.util.spec_from_file_location("records", Path(__file__).with_name("records.py"))
assert _spec and _spec.loader
records = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(records)
span, take, empty, with_takes = records.span, records.take, records.empty, records.with_takes


def test_a_take_of_the_same_span_replaces_it_and_another_goes_on_top() -> None:
    record = with_takes(take(1), take(2), take(3, 2, 4), take(4, 2, 4), take(5, 3, 6))
    for number, layers in ((1, (1,)), (3, (1, 3)), (5, (1, 3, 5)), (4, (1, 4, 5)), (2, (2, 4, 5))):
        record = choose(record, number)
        assert record.state.layers == layers


def test_stems_do_not_take_each_others_place() -> None:
    record = with_takes(take(1, stem="a"), take(2, stem="b"), take(3, stem="a"))
    for number in (1, 2, 3):
        record = choose(record, number)
    assert record.state.layers == (3, 2)


def test_choosing_what_sounds_is_no_change() -> None:
    record = choose(with_takes(take(1)), 1)
    assert choose(record, 1) is record


def test_new_takes_sound_only_if_chosen() -> None:
    record = add_takes(empty(), [take(1), take(2)], chosen=[1])
    assert record.state.layers == (1,) and [t.number for t in record.takes] == [1, 2]


def test_undo_and_redo_walk_the_whole_history_both_ways() -> None:
    record, states = with_takes(*(take(k, k - 1, k + 1) for k in range(1, 9))), []
    for verb in (*(lambda r, k=k: choose(r, k) for k in (3, 1, 8, 5, 2)), lambda r: lock(r, span(9, 10))):
        states.append(record.state)
        record = verb(record)
    last = record
    for state in reversed(states):
        record = undo(record)
        assert record.state == state
    with pytest.raises(UsageError, match="0 steps to undo"):
        undo(record)
    assert redo(record, len(states)) == last
    assert undo(last, len(states)) == record
    with pytest.raises(UsageError, match="0 steps to redo"):
        redo(last)


def test_settings_change_places_with_those_that_a_state_keeps() -> None:
    record = empty()
    rain = set_to(record, Settings(Request.of(record.request, prompt="rain"), ()))
    cut = set_to(rain, Settings(rain.request, (Cut(Fraction(2)),)))
    assert [state.did for state in cut.history] == ["new", "set prompt", "set cuts"]
    back = undo(cut, 2)
    assert (back.request, back.cuts) == (record.request, ()) and passed(back, 2) == ["set cuts", "set prompt"]
    forth = redo(back, 2)
    assert forth == cut and passed(forth, -2) == ["set prompt", "set cuts"]
    by_hand = replace(undo(cut, 2), request=Request.of(record.request, prompt="hail"))
    assert undo(redo(by_hand)).request == by_hand.request, "what was edited by hand is not lost"
    assert set_to(cut, Settings(cut.request, cut.cuts)) is cut


def test_a_change_after_undo_ends_what_could_be_redone_but_loses_no_take() -> None:
    record = choose(choose(with_takes(take(1), take(2), take(3)), 1), 2)
    record = choose(undo(record), 3)
    assert record.state.layers == (3,) and [s.did for s in record.history] == ["new", "choose 1", "choose 3"]
    assert len(record.takes) == 3
    with pytest.raises(UsageError, match="redo"):
        redo(record)


@pytest.mark.parametrize("steps", [0, -1])
def test_undo_goes_at_least_one_step(steps: int) -> None:
    with pytest.raises(UsageError, match=">= 1"):
        undo(choose(with_takes(take(1)), 1), steps)


def test_a_locked_span_does_not_change_until_it_is_unlocked() -> None:
    record = lock(choose(with_takes(take(1), take(2), take(3, 0, 2), take(4, 4, 6)), 1), span(4, 6))
    for number in (2, 4):
        with pytest.raises(UsageError, match="01:00:04:00 to 01:00:06:00 is locked"):
            choose(record, number)
    assert choose(record, 3).state.layers == (1, 3)
    assert choose(unlock(record, span(4, 6)), 4).state.layers == (1, 4)


def test_locks_join_and_split() -> None:
    record = lock(lock(lock(empty(), span(1, 3)), span(6, 8)), span(3, 4))
    assert record.state.locks == (span(1, 4), span(6, 8))
    record = unlock(record, span(2, 7))
    assert record.state.locks == (span(1, 2), span(7, 8))
    with pytest.raises(UsageError, match="nothing is locked"):
        unlock(record, span(3, 4))
    assert lock(record, span(1, 2)) is record


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2), (9, 11)])
def test_spans_outside_the_video_are_refused(start: float, end: float) -> None:
    with pytest.raises(UsageError, match="not inside the video"):
        lock(empty(), span(start, end))


def test_an_unknown_take_is_reported_with_the_existing_ones() -> None:
    with pytest.raises(UsageError, match="no take 9; takes: 1, 2"):
        choose(with_takes(take(1), take(2)), 9)
