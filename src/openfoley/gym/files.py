"""Gym scenes as files: `<seed>.mp4`, `<seed>.wav`, `<seed>.json`, and on request each object's stem."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from openfoley.errors import OutputError, UsageError
from openfoley.gym.picture import scene_frames
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import Split, check_worlds, split_of, world_of
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth
from openfoley.media.write.atomic import replace_when_done
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter
from openfoley.types import Audio

SAMPLE_RATE = 44_100
LARGEST_SIDE = 4096
"""pixels"""


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
) -> list[Path]:
    """Render the scenes of these seeds, of any world, into `folder`.

    Raises UsageError for values out of range, for a world whose extra is missing and for existing files without
    `force`, OutputError where nothing can be written."""
    rate, width, height = form.rate, form.width, form.height
    if not seeds or not duration_s > 0 or not 1 <= rate <= 240:
        raise UsageError(
            f"count must be >= 1, duration > 0 s and fps in 1..240; got {len(seeds)}, {duration_s:g} s, {float(rate):g}"
        )
    if not (16 <= width <= LARGEST_SIDE and 16 <= height <= LARGEST_SIDE):
        raise UsageError(f"size must be 16x16 to {LARGEST_SIDE}x{LARGEST_SIDE} pixels, got {width}x{height}")
    splits: dict[int, Split] = {s: split_of(s, world_of(s)) for s in seeds}
    check_worlds(seeds)
    taken = [p for s in splits for p in (folder / f"{s}.{e}" for e in ("mp4", "wav", "json")) if p.exists()]
    if taken and not force:
        raise UsageError(f"{str(taken[0])!r} exists; overwrite it with force=True or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {str(folder)!r}: {error.strerror}; choose another folder") from error
    paths: list[Path] = []
    for s, split in splits.items():
        scene = sample_scene(s, duration_s, split=split, aspect=width / height)
        paths += _write_scene(scene, folder, form, device)
    return paths


def _write_scene(scene: Scene, folder: Path, form: SceneFormat, device: str) -> list[Path]:
    sound = render_sound(scene, sample_rate=SAMPLE_RATE, device=device, with_stems=form.stems)
    sounds = {f"{scene.seed}.wav": sound.mix}
    if form.stems:
        sounds |= {f"{scene.seed}.{name}.wav": stem for name, stem in sound.stems.items()}
    written = []
    for name, samples in sounds.items():
        with replace_when_done(folder / name, force=True) as path:
            with AudioWriter(path, SAMPLE_RATE, 2, "24") as writer:
                writer.write(samples.cpu())
        written.append(folder / name)
    with replace_when_done(folder / f"{scene.seed}.mp4", force=True) as path:
        audio = None if form.silent else Audio(sound.mix.cpu(), SAMPLE_RATE)
        write_video(path, scene_frames(scene, form.rate, form.height, form.width, device), form.rate, audio=audio)
    with replace_when_done(folder / f"{scene.seed}.json", force=True) as path:
        path.write_text(json.dumps(truth(scene, sound, form.rate), indent=1), encoding="utf-8")
    return [*written, folder / f"{scene.seed}.mp4", folder / f"{scene.seed}.json"]
