"""Position, time and material of visible events: the Gym's ground truth as a dense target.

These replace the pretraining that VideoPrism provides at full size (docs/log.md). Continuous sounds have no onset and
are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from openfoley.data.snippets import FRAME_RATE, SNIPPET_FRAMES, Snippets

PLACE_GRID = 6  # cells along each side of the picture, as the Gym's patches
NO_MATERIAL = -1


@dataclass(frozen=True)
class SeenEvents:
    """positions[v] float64 [n, 3]: time in frames, x and y in 0..1 of each visible event of video v; materials[v] int64
    [n]: index into `names`, which are in alphabetical order."""

    positions: list[np.ndarray]
    materials: list[np.ndarray]
    names: tuple[str, ...]

    @classmethod
    def of(cls, truth: list[dict], names: tuple[str, ...] | None = None) -> "SeenEvents":
        """names: those of the clips trained on; a material outside them is NO_MATERIAL."""
        chosen = [[e for e in record["events"] if e["visible"] and not e.get("continuous")] for record in truth]
        known = names or tuple(sorted({e["material"] for events in chosen for e in events}))
        index = {name: number for number, name in enumerate(known)}
        return cls(
            [np.array([(e["time_s"] * FRAME_RATE, e["x"], e["y"]) for e in es]).reshape(-1, 3) for es in chosen],
            [np.array([index.get(e["material"], NO_MATERIAL) for e in es], dtype=np.int64) for es in chosen],
            known,
        )

    def targets(
        self, snippets: Snippets, boxes: Float[Tensor, "snippets 4"] | None = None
    ) -> tuple[Float[Tensor, "snippets frames cells"], Int[Tensor, "snippets frames cells"]]:
        """Places and materials for SNIPPET_FRAMES frames and PLACE_GRID ** 2 cells.

        A place is 1 where an event falls on a frame, shared between two frames when it falls between them; its material
        is NO_MATERIAL elsewhere. boxes: the part of the picture that is shown (`cell_of`).
        """
        count = len(snippets.start)
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(count, 4) if boxes is None else boxes
        places = np.zeros((count, SNIPPET_FRAMES, PLACE_GRID, PLACE_GRID), np.float32)
        materials = np.full(places.shape, NO_MATERIAL, np.int64)
        rows = zip(snippets.video.tolist(), snippets.start.tolist(), boxes.tolist(), strict=True)
        for row, (video, start, box) in enumerate(rows):
            times = self.positions[video][:, 0]
            near = (times >= start - 1) & (times < start + SNIPPET_FRAMES)
            for (at, x, y), material in zip(self.positions[video][near], self.materials[video][near], strict=True):
                first, cell = int(np.floor(at)) - start, cell_of(x, y, box)
                if cell is None:
                    continue
                for frame in (first, first + 1):
                    share = 1 - abs(at - start - frame)
                    if 0 <= frame < SNIPPET_FRAMES and share > places[row, frame][cell]:
                        places[row, frame][cell], materials[row, frame][cell] = share, material
        return torch.from_numpy(places).flatten(2), torch.from_numpy(materials).flatten(2)


def cell_of(x: float, y: float, box: Sequence[float]) -> tuple[int, int] | None:
    """Row and column of a point (0..1 of the whole picture) in `box`: left, top, width, height in shares of it, a
    negative width for a mirrored one. None outside."""
    left, top, width, height = box
    across, down = (x - left) / abs(width), (y - top) / height
    if not (0 <= across < 1 and 0 <= down < 1):
        return None
    row, column = int(down * PLACE_GRID), int(across * PLACE_GRID)
    return row, (column if width > 0 else PLACE_GRID - 1 - column)
