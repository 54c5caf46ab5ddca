"""The material of the onset in each latent, from the Gym's ground truth: labels for the generator's extra losses.

0 is none; k + 1 is the material MATERIAL_NAMES[k] of a visible event, in its own latent and those after it;
UNLABELLED for continuous sounds and events that are not visible.
"""

from typing import Any

import numpy as np

from openfoley.gym.materials import MATERIALS

MATERIAL_NAMES = tuple(MATERIALS)
CLASSES = 1 + len(MATERIAL_NAMES)
UNLABELLED = -1
EVENT_LATENTS = 7  # 0.16 s: most of the energy of an impact


def event_labels(record: dict[str, Any], latents: int, latent_s: float) -> np.ndarray:
    """int8 [latents] for a truth record (`gym.truth`); of overlapping events the later one counts."""
    labels = np.zeros(latents, np.int8)
    for event in sorted(record["events"], key=lambda event: event["time_s"]):
        first = int(event["time_s"] / latent_s)
        if event.get("continuous"):
            labels[first : int(event["end_s"] / latent_s) + 1] = UNLABELLED
        elif event["audible"]:
            material = 1 + MATERIAL_NAMES.index(event["material"])
            labels[first : first + EVENT_LATENTS] = material if event["visible"] else UNLABELLED
    return labels
