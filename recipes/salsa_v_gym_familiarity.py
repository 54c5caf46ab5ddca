"""Fits the shipped model's out-of-distribution warning: python recipes/salsa_v_gym_familiarity.py [SCENES] [OUTSIDE]

Fits hub.familiarity to the semantic features of SCENES (48) training scenes of each world of the Gym (solid bodies need
the extra gym), sets the threshold a tenth above the largest distance of as many validation scenes, and writes it into
the model folder. OUTSIDE: a folder of videos of another renderer, whose distances are printed, not used.
"""

import sys
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from openfoley.gym.picture import scene_frames
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import WORLDS, Split, seeds_of
from openfoley.hub.familiarity import Familiarity, SeenPictures
from openfoley.hub.load import load_model
from openfoley.hub.registry import find_model
from openfoley.media.source import Source
from openfoley.synthesis.features import frame_request, frames_of

MODEL, DURATION_S, MARGIN = "salsa-v-gym", 8.0, 1.1
FIRST = {"train": 4_300_000, "validation": 300_000}  # seeds of no training and no tuning


def gym_features(encoder, split: Split, count: int) -> list[Tensor]:
    """Features [n, dim] of `count` scenes of each world."""
    frames, features = frames_of(encoder), []
    for seed in (s for world in WORLDS for s in seeds_of(split, count, FIRST[split], world)):
        scene = sample_scene(seed, DURATION_S, split=split, aspect=1.0)
        device = torch.device("cpu")
        pictures = torch.cat(list(scene_frames(scene, Fraction(frames.rate), frames.height, frames.width, device)))
        features.append(encoder.encode(pictures[None])[0])
    return features


def distance(familiarity: Familiarity, features: list[Tensor]) -> float:
    seen = SeenPictures(familiarity)
    for part in features:
        seen.add(part)
    return seen.distance


@torch.inference_mode()
def main(scenes: int = 48, outside: str = "") -> None:
    encoder = load_model(MODEL).encoders["semantic"]
    fitted = Familiarity.of(torch.cat(gym_features(encoder, "train", scenes)))
    held = sorted(distance(fitted, [one]) for one in gym_features(encoder, "validation", scenes))
    fitted = Familiarity(fitted.mean, fitted.precision, MARGIN * held[-1])
    fitted.save(find_model(MODEL))
    print(f"{len(held)} validation scenes: median {held[len(held) // 2]:.2f}, largest {held[-1]:.2f}")
    print(f"threshold {fitted.threshold:.2f}")
    for path in sorted(Path(outside).glob("*.mp4")) if outside else ():
        chunks = Source.file(path).chunks([frame_request("semantic", encoder)])
        print(f"{path.name}: {distance(fitted, [encoder.encode(chunk.frames[None])[0] for chunk in chunks]):.2f}")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, str), sys.argv[1:], strict=False)))
