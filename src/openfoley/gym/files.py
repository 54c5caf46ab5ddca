"""Gym scenes as files: `<seed>.mp4`, `<seed>.wav`, `<seed>.json`, and on request each object's stem."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from openfoley.errors import UsageError
from openfoley.gym.levels import Levels
from openfoley.gym.long.sound import LongSound
from openfoley.gym.picture import Frames, scene_frames
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import Split, check_worlds, split_of, world_of
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth
from openfoley.media.sample_file import SampleFile
from openfoley.media.write.atomic import check_output, make_folder, replace_when_done
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter
from openfoley.types import Audio

SAMPLE_RATE = 44_100
SMALLEST_SIDE, LARGEST_SIDE = 16, 4096
"""pixels"""
HIGHEST_RATE, LONGEST_S = 240, 3600.0
"""Hz and s"""
SUFFIXES = (".mp4", ".wav", ".json")
BODIES_CRF = 17
BODIES_PICTURE, BODIES_SOUND = {"preset": "veryfast"}, {"aac_coder": "fast"}
"""Of x264 and FFmpeg's AAC encoder: half the time of the usual settings; on scenes of bodies the picture loses about
half a decibel and the sound gains in the mean (log G13). The flat world keeps those: its bytes would change."""


@dataclass(frozen=True)
class SceneFormat:
    """rate in Hz, width and height in pixels. silent: no sound in the mp4 (the wav is written all the same). stems: a
    wav for each object too."""

    rate: Fraction = Fraction(24)
    width: int = 256
    height: int = 256
    silent: bool = False
    stems: bool = False


def render_files(
    seeds: Sequence[int],
    duration_s: float,
    folder: Path,
    form: SceneFormat = SceneFormat(),
    *,
    force: bool = False,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Render the scenes of these seeds, of any world, into `folder`, made if missing. progress: called with the number
    of finished scenes after each.

    Raises UsageError, before anything is written, for values out of range, for a world whose extra is missing and for
    existing files without `force`, OutputError where nothing can be written."""
    if not seeds:
        raise UsageError("there must be at least one seed, got none")
    _check_form(duration_s, form)
    splits: dict[int, Split] = {s: split_of(s, world_of(s)) for s in seeds}
    check_worlds(seeds)
    make_folder(folder)
    if not force:
        _check_unfinished(seeds, folder)
    for name in (f"{s}{suffix}" for s in seeds for suffix in SUFFIXES):
        check_output(folder / name, force=force)
    paths: list[Path] = []
    for number, (s, split) in enumerate(splits.items(), start=1):
        scene = sample_scene(s, duration_s, split=split, aspect=form.width / form.height)
        paths += _write_scene(scene, folder, form, device)
        if progress:
            progress(number)
    return paths


def _check_form(duration_s: float, form: SceneFormat) -> None:
    rate = float(form.rate)
    if not 1 <= rate <= HIGHEST_RATE:
        raise UsageError(f"fps must be in 1..{HIGHEST_RATE}, got {rate:g}")
    if not 1 / rate <= duration_s <= LONGEST_S:
        raise UsageError(
            f"duration must be at least one frame, {1 / rate:.3g} s, and at most {LONGEST_S:g} s, got {duration_s:g}"
        )
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (form.width, form.height)):
        sides = f"{SMALLEST_SIDE}x{SMALLEST_SIDE} to {LARGEST_SIDE}x{LARGEST_SIDE}"
        raise UsageError(f"size must be {sides} pixels, got {form.width}x{form.height}")


def _check_unfinished(seeds: Sequence[int], folder: Path) -> None:
    """UsageError where one of the scenes is finished: its truth, which is written last, is there."""
    done = [(folder / f"{s}.json").exists() for s in seeds]
    if not any(done):
        return
    first, count = done.index(False) if False in done else 0, len(seeds)
    rest = f"to continue, pass seed {seeds[first]}, count {count - first} and force=True; " if first else ""
    raise UsageError(
        f"{str(folder)!r} holds {sum(done)} of these {count} scenes; {rest}to overwrite, pass force=True; "
        "or choose another folder"
    )


def _write_scene(scene: Scene, folder: Path, form: SceneFormat, device: str) -> list[Path]:
    if world_of(scene.seed) == "long":
        mix, levels, written = _write_long_sound(scene, folder, form.stems)
    else:
        sound = render_sound(scene, sample_rate=SAMPLE_RATE, device=device, with_stems=form.stems)
        stems = sound.stems if form.stems else {}
        written = [_write_wav(folder / f"{scene.seed}.wav", [sound.mix])]
        written += [_write_wav(folder / f"{scene.seed}.{name}.wav", [stem]) for name, stem in stems.items()]
        mix, levels = sound.mix.cpu(), sound
    with replace_when_done(folder / f"{scene.seed}.mp4", force=True) as path:
        audio = None if form.silent else Audio(mix, SAMPLE_RATE)
        encode_scene(path, scene, scene_frames(scene, form.rate, form.height, form.width, device), form.rate, audio)
    with replace_when_done(folder / f"{scene.seed}.json", force=True) as path:
        path.write_text(json.dumps(truth(scene, levels, form.rate), indent=1), encoding="utf-8")
    return [*written, folder / f"{scene.seed}.mp4", folder / f"{scene.seed}.json"]


def encode_scene(path: Path, scene: Scene, frames: Iterable[Frames], rate: Fraction, audio: Audio | None) -> None:
    """Write a scene's frames and sound as a video; its encoders' settings depend on the world."""
    if world_of(scene.seed) == "bodies":
        write_video(path, frames, rate, crf=BODIES_CRF, audio=audio, options=BODIES_PICTURE, sound_options=BODIES_SOUND)
    else:
        write_video(path, frames, rate, audio=audio)


def _write_long_sound(scene: Scene, folder: Path, with_stems: bool) -> tuple[Tensor, Levels, list[Path]]:
    """The files of a long scene's sound, written chunk by chunk; the mix as it lies on disk, and its levels."""
    sound, kept = LongSound(scene, SAMPLE_RATE), SampleFile(2)

    def chunks() -> Iterator[Tensor]:
        for chunk in sound:
            kept.append(chunk)
            yield chunk

    written = [_write_wav(folder / f"{scene.seed}.wav", chunks())]
    kept.close()
    for name in dict.fromkeys(one.id for one in scene.objects) if with_stems else ():
        written.append(_write_wav(folder / f"{scene.seed}.{name}.wav", LongSound(scene, SAMPLE_RATE, only=name)))
    return kept.mapped(), sound.levels, written


def _write_wav(path: Path, chunks: Iterable[Tensor]) -> Path:
    with replace_when_done(path, force=True) as unfinished, AudioWriter(unfinished, SAMPLE_RATE, 2, "24") as writer:
        for samples in chunks:
            writer.write(samples.cpu())
    return path
