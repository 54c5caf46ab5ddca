"""A lasting sound that begins at a join: how many onsets does the detector find in the fade?

    python benchmarks/lasting_joins.py [SOUNDS] [MODEL]

The window before is silent, the one behind has a lasting sound of a long Gym scene (1 s around the join, from the
scene's own start of it on). Both are encoded by the model's codec and joined: hard, by a crossfade of latents or by one
of samples (equal power), of several lengths. One onset is what the begin of a sound costs; more are the stairs of a
fade (docs/log.md, L6 and L12).
"""

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from openfoley.data.onset_detector import detect
from openfoley.gym.long.timbre import lasting_wave
from openfoley.gym.records import GymObject
from openfoley.gym.timbre import FRICTION_LEVEL, LOUDEST
from openfoley.hub.load import load_model
from openfoley.synthesis.crossfade import crossfade_latents, rising

KINDS = (("rain", "water"), ("fan", "steel"), ("stream", "water"))  # the crackles of a fire are onsets themselves
LENGTHS = (8, 12, 16, 20, 24, 32)  # latents
BEFORE, BEHIND = 64, 96  # latents
LEVEL = 0.35  # of the sources' usual ones


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    codec = load_model(sys.argv[2] if len(sys.argv) > 2 else "salsa-v-gym").codec
    hop, rate = codec.hop_length, codec.sample_rate

    def latents(sound: Tensor) -> Tensor:
        return codec.encode(sound.expand(1, codec.channels, -1))

    joins: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"hard": lambda a, b: codec.decode(torch.cat([a, b], 1))}
    for n in LENGTHS:
        joins[f"latents, {n}"] = lambda a, b, n=n: codec.decode(
            torch.cat([a[:, :-n], crossfade_latents(a[:, -n:], b)], 1)
        )
        joins[f"samples, {n}"] = lambda a, b, n=n: _samples_faded(codec, a, b, n)
    found: dict[str, list[int]] = {name: [] for name in joins}
    with torch.inference_mode():
        silent = latents(torch.zeros(1, 1, BEFORE * hop))
        for number in range(count):
            action, material = KINDS[number % len(KINDS)]
            thing = GymObject("x", "", material, 0.4, 1000 + number, action)
            wave = lasting_wave(thing, action, 0, BEHIND * hop, rate) * (LEVEL * LOUDEST * FRICTION_LEVEL)
            lasting = latents(wave[None, None])
            for name, joined in joins.items():
                found[name].append(len(detect(joined(silent, lasting)[0], rate)))
    print("| join, latents | onsets a join | joins with none or one |\n|---|---|---|")
    for name, counts in found.items():
        print(f"| {name} | {np.mean(counts):.2f} | {np.mean(np.array(counts) <= 1):.2f} |")
    return 0


def _samples_faded(codec, before: Tensor, behind: Tensor, latents: int) -> Tensor:
    """Each decoded alone, the last samples of one and the first of the other crossfaded with equal power."""
    one, other = codec.decode(before), codec.decode(behind)
    count = latents * codec.hop_length
    weight = rising(count)
    mixed = one[..., -count:] * weight.flip(0) + other[..., :count] * weight
    return torch.cat([one[..., :-count], mixed, other[..., count:]], -1)


if __name__ == "__main__":
    raise SystemExit(main())
