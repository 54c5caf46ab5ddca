"""Pictures kept from a pass for somebody else are those of a pass of their own."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.media import pictures as module
from openfoley.media.decode import pick_frames
from openfoley.media.pictures import Pictures
from openfoley.types import FrameChunk, FrameRequest

REQUESTS = [FrameRequest("sync", Fraction(24), 12, 12), FrameRequest("semantic", Fraction(8), 10, 8)]
OTHER = FrameRequest("scenes", Fraction(30), 6, 6)
SECONDS = Fraction(4)
BYTES = 4 * (24 * 12 * 12 + 8 * 10 * 8) * 3


@pytest.fixture
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("v.mp4", duration_s=float(SECONDS), rate=30)


def same(ours: Iterable[FrameChunk], theirs: Iterable[FrameChunk]) -> bool:
    ours, theirs = list(ours), list(theirs)
    return len(ours) == len(theirs) and all(
        (a.name, a.first_index) == (b.name, b.first_index) and torch.equal(a.frames, b.frames)
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("limit, passes", [(BYTES, 1), (BYTES - 1, 2)])
def test_kept_or_decoded_again(video: Path, limit: int, passes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Path] = []

    def counting(path: Path, requests: list[FrameRequest], **options: int) -> Iterable[FrameChunk]:
        counted.append(path)
        return pick_frames(path, requests, **options)

    monkeypatch.setattr(module, "pick_frames", counting)
    pictures = Pictures(video, REQUESTS, limit)
    assert same(pictures.beside(OTHER, SECONDS), pick_frames(video, [OTHER]))
    assert same(pictures.chunks(), pick_frames(video, REQUESTS))
    assert len(counted) == passes
    assert same(pictures.chunks(), pick_frames(video, REQUESTS))  # given once, then decoded
    assert len(counted) == passes + 1


def test_a_pass_that_was_not_finished_keeps_nothing(video: Path) -> None:
    pictures = Pictures(video, REQUESTS)
    passing = pictures.beside(OTHER, SECONDS)
    next(iter(passing))
    assert same(pictures.chunks(), pick_frames(video, REQUESTS))
