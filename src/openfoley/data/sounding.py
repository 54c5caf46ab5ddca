"""What begins to sound in each latent, from the Gym's truth: what a generator is asked to name while it learns.

0 is nothing; k + 1 is the material MATERIAL_NAMES[k] of an event that can be seen, in its own latent and those after
it; UNTOLD where nothing is asked: lasting sounds, and events that cannot be seen.
"""

from typing import Any

import numpy as np

from openfoley.gym.materials import MATERIALS

MATERIAL_NAMES = tuple(MATERIALS)
CLASSES = 1 + len(MATERIAL_NAMES)
UNTOLD = -1
NAMED_LATENTS = 7  # 0.16 s: most of what is heard of a blow


def sounding_of(record: dict[str, Any], latents: int, latent_s: float) -> np.ndarray:
    """int8 [latents] for a truth record (`gym.truth`); where events overlap the later one counts."""
    labels = np.zeros(latents, np.int8)
    for event in sorted(record["events"], key=lambda event: event["time_s"]):
        first = int(event["time_s"] / latent_s)
        if event.get("continuous"):
            labels[first : int(event["end_s"] / latent_s) + 1] = UNTOLD
        elif event["audible"]:
            named = 1 + MATERIAL_NAMES.index(event["material"])
            labels[first : first + NAMED_LATENTS] = named if event["visible"] else UNTOLD
    return labels
