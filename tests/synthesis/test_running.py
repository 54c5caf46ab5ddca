"""Several jobs over the same pictures: one pass, the bytes of single runs, and little is kept."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Cue, Request
from openfoley.synthesis.feature_buffer import FeatureBuffer
from openfoley.synthesis.features import FeatureRun
from openfoley.synthesis.running import SharedFeed
from openfoley.synthesis.windows import WindowSampler

FAST = Request.of(steps=2, guidance=2.0, cuts="none", window=1.0, context=0.2)
STEMS = {
    "ball": (Cue(Fraction(0), Fraction(1), stem="ball", select="ball"),),
    "door": (Cue(Fraction(2), Fraction(4), stem="door", select="door"),),
    "floor": (
        Cue(Fraction(1, 2), Fraction(3, 2), stem="floor", select="a wooden floor"),
        Cue(Fraction(3), Fraction(112, 25), "steps", stem="floor"),
    ),
}


def sounds(pipeline: Pipeline, film: Path, seeds: list[int]) -> dict[str, list[Tensor]]:
    made = pipeline.generate_stems(Source.file(film), seeds, FAST, STEMS)
    return {name: [take.audio.samples for take in takes] for name, takes in made.items()}


def test_stems_of_cues_that_select_encode_the_picture_once_and_sound_as_alone(
    selva: Pipeline, film: Path, trunk_calls: list[int]
) -> None:
    together = sounds(selva, film, [0, 3])
    assert sum(trunk_calls) == 13, "segments of 4.48 s"
    trunk_calls.clear()
    for name, cues in STEMS.items():
        alone = selva.generate_stem(Source.file(film), [0, 3], FAST, cues)
        assert all(torch.equal(a.audio.samples, b) for a, b in zip(alone, together[name], strict=True)), name
        assert alone[0].audio.samples.any()
    assert sum(trunk_calls) > 2 * 13


def test_an_interrupted_run_resumes_each_stem_to_the_same_bytes(
    selva: Pipeline, film: Path, tmp_path: Path, trunk_calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, sampled, real = sounds(selva, film, [0]), list[int](), WindowSampler.__call__

    def five(*given: object, **more: object) -> object:
        sampled.append(1)
        if len(sampled) > 5:
            raise KeyboardInterrupt
        return real(*given, **more)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(WindowSampler, "__call__", five)
        with pytest.raises(KeyboardInterrupt):
            selva.generate_stems(Source.file(film), [0], FAST, STEMS, work=tmp_path / "w")
    assert {path.name for path in tmp_path.iterdir()} == {"w-ball", "w-door", "w-floor"}, "each had a window"
    heard: list[tuple[float, float]] = []
    made = selva.generate_stems(
        Source.file(film), [0], FAST, STEMS, work=tmp_path / "w", progress=lambda *now: heard.append(now)
    )
    for name, (take,) in made.items():
        assert torch.equal(take.audio.samples, whole[name][0]) and take.work is not None
        take.work.remove()
    assert not list(tmp_path.iterdir())
    assert heard == sorted(heard) and heard[0][0] > 0 and heard[-1] == (pytest.approx(4.48), pytest.approx(4.48))


def test_a_run_is_kept_until_every_reader_has_it_or_has_left() -> None:
    runs = [FeatureRun("sync", 0, torch.zeros(k, 1), is_last=False) for k in range(6)]
    feed = SharedFeed(iter(runs), 3)
    first, second = (feed.reader(number) for number in range(2))
    assert [next(first) for _ in range(4)] == runs[:4] and next(second) is runs[0]
    assert [len(one) for one in feed.waiting.values()] == [0, 3, 4]
    feed.leave(2)
    assert [len(one) for one in feed.waiting.values()] == [0, 3]
    assert list(second) == runs[1:] and list(first) == runs[4:]


def test_what_lies_before_a_late_cue_is_not_kept(
    tiny_model: Path, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, append = [0], FeatureBuffer.append

    def counted(self: FeatureBuffer, features: Tensor) -> None:
        append(self, features)
        kept[0] = max(kept[0], int(len(self.features) / self.rate))

    monkeypatch.setattr(FeatureBuffer, "append", counted)
    cue = Cue(Fraction(38), Fraction(39), "a door", stem="door")
    source = Source.file(make_video("film.mp4", duration_s=40.0))
    (stem,) = load(tiny_model).generate_stem(source, [0], FAST, (cue,))
    assert stem.audio.samples[:, 38 * 44100 :].any() and 0 < kept[0] < 12, "s"
