"""The project's operations as pure functions from record to record; no file access."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from openfoley.checks import instants
from openfoley.errors import UsageError
from openfoley.media.time.timecode import Timecode, counting_of, nominal, parse_timecode, time_in, timecode_at
from openfoley.projects.record import Record, Settings, Span, State, TakeEntry
from openfoley.request import options_of


def add_takes(record: Record, takes: Sequence[TakeEntry], chosen: Sequence[int]) -> Record:
    """The record with new takes; those with numbers in `chosen` join the mix."""
    added = replace(record, takes=(*record.takes, *takes))
    layers = record.state.layers
    for take in takes:
        if take.number in chosen:
            layers = _laid(added, layers, take)
    return _then(added, f"take {_numbers(takes)}", layers=layers)


def choose(record: Record, number: int) -> Record:
    """Put a take into the mix: it replaces the one of the same span, else is added on top."""
    take = record.take(number)
    layers = _laid(record, record.state.layers, take)
    if layers == record.state.layers:
        return record
    check_unlocked(record, take.span, f"choose take {number}")
    return _then(record, f"choose {number}", layers=layers)


def lock(record: Record, span: Span) -> Record:
    """Protect a span until it is unlocked."""
    check_span(record, span)
    locks = _joined([*record.state.locks, span])
    if locks == record.state.locks:
        return record
    return _then(record, f"lock {_shown(record, span)}", locks=locks)


def unlock(record: Record, span: Span) -> Record:
    """Unlock a span; locks outside it remain."""
    check_span(record, span)
    if not any(held.overlaps(span) for held in record.state.locks):
        raise UsageError(f"nothing is locked in {_shown(record, span)}; locked: {locks_shown(record)}")
    left: list[Span] = []
    for held in record.state.locks:
        left += [
            Span(start, end)
            for start, end in ((held.start, min(held.end, span.start)), (max(held.start, span.end), held.end))
            if start < end
        ]
    return _then(record, f"unlock {_shown(record, span)}", locks=tuple(left))


def set_to(record: Record, settings: Settings) -> Record:
    """Change settings. The new state keeps the previous ones; `undo` and `redo` swap them."""
    before = record.settings
    if settings == before:
        return record
    old, new = (dict(_options(one)) for one in (before, settings))
    names = [name for name in new if new[name] != old[name]]
    return _then(record, f"set {', '.join(names)}", settings=before).with_settings(settings)


def _options(settings: Settings) -> Iterator[tuple[str, object]]:
    """What was set, by option: of a file also what it held."""
    request, contents = settings.request, {Path(mask.path): mask.sha256 for mask in settings.masks}
    for section, one in options_of(request):
        yield one.name, getattr(getattr(request, section), one.name)
    yield "cuts", (request.timeline.cuts, settings.cuts)
    yield "cues", [(cue, cue.select_mask and contents.get(cue.select_mask)) for cue in request.timeline.cue_list]
    mask = request.prompting.select_mask
    yield "select_mask", (mask, mask and contents.get(mask))


def passed(record: Record, steps: int) -> list[str]:
    """The changes that `undo` (steps > 0) or `redo` (steps < 0) has just reverted or reapplied, in that order."""
    first = record.position + 1
    states = record.history[first : first + steps][::-1] if steps > 0 else record.history[first + steps : first]
    return [state.did for state in states]


def undo(record: Record, steps: int = 1) -> Record:
    """Go back `steps` states. Takes are kept."""
    return _moved(record, "undo", steps, record.position, -1)


def redo(record: Record, steps: int = 1) -> Record:
    """Go forward `steps` states."""
    return _moved(record, "redo", steps, len(record.history) - 1 - record.position, 1)


def _moved(record: Record, verb: str, steps: int, available: int, direction: int) -> Record:
    if steps < 1:
        raise UsageError(f"{verb} needs a whole number of steps >= 1, got {steps}")
    if steps > available:
        raise UsageError(f"cannot {verb} {steps}: the history has {available} step{'s' * (available != 1)} to {verb}")
    for _ in range(steps):
        record = _stepped(record, direction)
    return record


def _stepped(record: Record, direction: int) -> Record:
    """One state forward or back; if the later of the two changed settings, they are swapped with its own."""
    place = max(record.position, record.position + direction)
    state = record.history[place]
    moved = replace(record, position=record.position + direction)
    if state.settings is None:
        return moved
    kept = replace(state, settings=record.settings)
    history = (*record.history[:place], kept, *record.history[place + 1 :])
    return replace(moved, history=history).with_settings(state.settings)


def span_of(record: Record, span: object) -> Span:
    """A span of two times in s or timecode. UsageError for what is none."""
    given = tuple(span) if isinstance(span, list) else span
    instants("span", given)
    assert isinstance(given, tuple)
    start = start_of(record)
    return Span(time_in(given[0], start, "span"), time_in(given[1], start, "span"))


def check_span(record: Record, span: Span) -> None:
    """UsageError for a span that is empty or reaches outside the video."""
    if not 0 <= span.start < span.end <= record.video.duration:
        raise UsageError(
            f"the span {float(span.start):.3f} to {float(span.end):.3f} s is not inside the video "
            f"(0 to {float(record.video.duration):.3f} s); the end must come after the start"
        )


def check_unlocked(record: Record, span: Span, what: str) -> None:
    """UsageError if a locked span would change."""
    for held in record.state.locks:
        if held.overlaps(span):
            raise UsageError(
                f"cannot {what}: {_shown(record, held)} is locked; unlock it first, or choose another span"
            )


def start_of(record: Record) -> Timecode:
    """The timecode of the first frame; 00:00:00:00 if there is none."""
    rate = nominal(record.video.frame_rate)
    given = record.video.start_timecode
    return parse_timecode(given, rate) if given else Timecode(0, counting_of(rate))


def locks_shown(record: Record) -> str:
    return ", ".join(_shown(record, span) for span in record.state.locks) or "nothing"


def _shown(record: Record, span: Span) -> str:
    start = start_of(record)
    return f"{timecode_at(span.start, start)} to {timecode_at(span.end, start)}"


def _laid(record: Record, layers: tuple[int, ...], take: TakeEntry) -> tuple[int, ...]:
    """The layers with a take replacing the one of its span and stem, else on top."""
    if take.number in layers:
        return layers
    for place, number in enumerate(layers):
        other = record.take(number)
        if other.span == take.span and other.stem == take.stem:
            return (*layers[:place], take.number, *layers[place + 1 :])
    return (*layers, take.number)


def _then(
    record: Record,
    did: str,
    layers: tuple[int, ...] | None = None,
    locks: tuple[Span, ...] | None = None,
    settings: Settings | None = None,
) -> Record:
    """Append a state after the current one; states that could be redone are dropped (their takes are kept)."""
    now = record.state
    state = State(did, now.layers if layers is None else layers, now.locks if locks is None else locks, settings)
    history = (*record.history[: record.position + 1], state)
    return replace(record, history=history, position=len(history) - 1)


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans in order, adjacent ones merged."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: s.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


def _numbers(takes: Sequence[TakeEntry]) -> str:
    return ", ".join(str(take.number) for take in takes)
