"""Stems and their mix: the sum is bit-exact at any level."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.media.limiter import true_peak_dbtp
from openfoley.media.sample_file import SampleFile
from openfoley.media.source import Source
from openfoley.pipeline import load
from openfoley.request import Cue, Output, Request
from openfoley.synthesis import running
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.features import FeatureRun
from openfoley.synthesis.stems import save_stems, stem_path, unnamed_stem, within_cues
from openfoley.synthesis.take import Take
from openfoley.synthesis.windows import WindowSampler
from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import Shot

RATE = 44100


def take(samples: torch.Tensor) -> Take:
    file = SampleFile(samples.shape[0])
    file.append(samples)
    file.close()
    return Take(Request(), "tiny", Source.nothing(1), RATE, file)


@pytest.mark.parametrize("bit_depth", ["16", "24", "32f"])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_sum_of_the_stems_is_the_mix(tmp_path: Path, bit_depth, channels: int) -> None:
    loud = [torch.randn(channels, RATE, generator=torch.Generator().manual_seed(k)) * 0.5 for k in range(3)]
    takes = dict(zip(("a", "b", "c"), map(take, loud), strict=True))
    paths = save_stems(takes, tmp_path / "mix.wav", Output(bit_depth=bit_depth))
    mix = soundfile.read(tmp_path / "mix.wav", dtype="float64", always_2d=True)[0]
    stems = [soundfile.read(path, dtype="float64", always_2d=True)[0] for path in paths.values()]
    assert list(paths) == ["a", "b", "c"] and mix.shape == (RATE, channels)
    assert np.array_equal(mix, sum(stems))
    assert true_peak_dbtp(torch.from_numpy(mix.T.copy()).float(), RATE) <= -0.9
    assert np.abs(mix).max() > 0.5


def test_quiet_stems_are_left_as_they_are(tmp_path: Path) -> None:
    quiet = (torch.randn(2, 5000, generator=torch.Generator().manual_seed(0)) * 2**20).round() / 2**23 / 20
    paths = save_stems({"a": take(quiet), "b": take(quiet)}, tmp_path / "mix.flac", Output(bit_depth="24"))
    kept = soundfile.read(paths["a"], dtype="float64")[0].T
    assert np.abs(kept - quiet.double().numpy()).max() <= 2**-24


def test_names_that_fall_together_are_refused(tmp_path: Path) -> None:
    assert stem_path(Path("film.mp4"), "door") == Path("film.door.wav")
    (tmp_path / "mix.a.wav").write_bytes(b"")
    with pytest.raises(UsageError, match="exists"):
        save_stems({"a": take(torch.zeros(2, 10))}, tmp_path / "mix.wav", Output())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mix.a.wav"]
    with pytest.raises(UsageError, match="two stems would be written to one file"):
        save_stems(
            {"Door": take(torch.zeros(2, 10)), "door": take(torch.zeros(2, 10))}, tmp_path / "film.wav", Output()
        )


def test_what_has_no_name_takes_none_that_is_taken() -> None:
    assert unnamed_stem([]) == unnamed_stem(["door"]) == "rest"
    assert unnamed_stem(["door", "Rest", "rest2"]) == "rest3"


def test_a_stem_is_silent_outside_its_cues_and_whole_across_neighbours() -> None:
    cues = [Cue(Fraction(1, 4), Fraction(1, 2)), Cue(Fraction(1, 2), Fraction(3, 4))]
    gated = within_cues(take(torch.ones(2, RATE)), cues).audio.samples[0]
    first, last, fade = round(RATE / 4), round(RATE * 3 / 4), round(0.01 * RATE)
    assert not gated[:first].any() and not gated[last:].any()
    assert torch.equal(gated[first + fade : last - fade], torch.ones(last - first - 2 * fade))
    assert (gated.diff().abs() < 0.005).all()


def test_a_stem_samples_only_what_its_cue_needs_and_sounds_only_there(
    tiny_model: Path, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, sampled = load(tiny_model), []
    real = WindowSampler.__call__

    def counted(
        self: WindowSampler,
        planned: PlannedWindow,
        takes: Sequence[TakeAssembler],
        progress: Callable[[float], None] | None = None,
        following: PlannedWindow | None = None,
    ) -> list[torch.Tensor]:
        sampled.append(planned)
        return real(self, planned, takes, progress, following)

    monkeypatch.setattr(WindowSampler, "__call__", counted)
    source = Source.file(make_video("film.mp4", duration_s=6.0))
    request = Request.of(steps=1, cuts="none", window=1.0, context=0.2)
    cue = Cue(Fraction(3), Fraction(7, 2), "a door", stem="door")
    (stem,) = pipeline.generate_stem(source, [0], request, (cue,))
    samples = stem.audio.samples
    assert len(sampled) == 3 and samples.shape[1] == 6 * RATE
    assert not samples[:, : 3 * RATE].any() and not samples[:, round(3.5 * RATE) :].any() and samples.any()


def test_a_stem_encodes_no_pictures_behind_its_last_cue(
    tiny_model: Path, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, encoded = load(tiny_model), []
    real = running.encoded_pictures

    def counted(
        model: Model, source: Source, shots: Sequence[Shot], device: torch.device, first_shot: int
    ) -> Iterator[FeatureRun]:
        for run in real(model, source, shots, device, first_shot):
            encoded.append(len(run.features) if run.name == "sync" else 0)
            yield run

    monkeypatch.setattr(running, "encoded_pictures", counted)
    request = Request.of(steps=1, cuts="none", window=1.0, context=0.2)
    cues = (Cue(Fraction(1), Fraction(3, 2), "a door", stem="door"),)
    path = make_video("film.mp4", duration_s=20.0)
    pipeline.generate_stem(Source.file(path), [0], request, cues)
    of_stem = sum(encoded)
    encoded.clear()
    pipeline.generate(Source.file(path), request)
    assert 0 < of_stem < 0.4 * sum(encoded)


def test_where_a_stem_needs_every_window_no_bit_of_it_changes(
    tiny_model: Path, make_video: Callable[..., Path]
) -> None:
    pipeline = load(tiny_model)
    source, request = Source.file(make_video("film.mp4", duration_s=2.0)), Request.of(steps=1, cuts="none")
    for span in ((0, 1), (1, 2)):
        cues = (Cue(Fraction(span[0]), Fraction(span[1]), "a door", stem="door"),)
        (stem,) = pipeline.generate_stem(source, [0], request, cues)
        whole = pipeline.generate(source, request, cues=cues)
        assert torch.equal(stem.audio.samples, within_cues(whole, cues).audio.samples)
