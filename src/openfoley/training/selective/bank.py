"""Items of stage 1 with what is frozen computed once: the trunk's tokens of each picture, the teacher's features.

A step that reads a bank costs the selection alone; one bank serves every training of the same trunk and sources. The
names are drawn anew each time.

tokens.npy   float16 [items, n, places, width]
taught.npy   float16 [items, n, dim]            of the clean pictures
bank.from    what it was computed from
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from openfoley.data.disk import create_array
from openfoley.data.feature_cache import MARK
from openfoley.data.workers import logged
from openfoley.media.write.atomic import make_folder
from openfoley.training.selective.items import Item, Items
from openfoley.training.selective.student import Student

AT_ONCE = 8  # items through the trunk


@dataclass(frozen=True)
class TokenBank:
    """An opened bank; the arrays are read-only maps."""

    items: list[Item]
    tokens: np.ndarray
    taught: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def build(cls, folder: Path, items: Items, student: Student, count: int, seed: int, origin: str) -> "TokenBank":
        """`count` items, drawn by `seed`; origin: of the weights and sources. A finished bank of the same is opened.
        The student's trunk must be its teacher's."""
        drawn = [items.draw(torch.Generator().manual_seed(seed * 10_000_019 + number)) for number in range(count)]
        mark, made_from = folder / f"bank{MARK}", f"{origin} {seed} {count} {items.frames} {items.draws.mixing}"
        shares = (items.draws.scene_share, items.draws.absent_share, items.draws.same_class)
        made_from = f"{made_from} {shares}"
        if not mark.is_file() or mark.read_text() != made_from:
            make_folder(folder)
            mark.unlink(missing_ok=True)
            _fill(folder, items, student, drawn)
            mark.write_text(made_from)
        tokens, taught = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("tokens", "taught"))
        return cls(drawn, tokens, taught)

    def read(
        self, rows: Int[Tensor, " rows"], device: torch.device
    ) -> tuple[Float[Tensor, "rows n places channels"], Float[Tensor, "rows n dim"]]:
        """Tokens and the teacher's features."""
        index = rows.numpy()
        tokens, taught = (torch.from_numpy(array[index]).to(device).float() for array in (self.tokens, self.taught))
        return tokens, taught


@torch.no_grad()
def _fill(folder: Path, items: Items, student: Student, drawn: list[Item]) -> None:
    arrays: dict[str, np.memmap] = {}
    firsts = range(0, len(drawn), AT_ONCE)
    for first in logged(firsts, "tokens", unit=f"batches of {AT_ONCE} items", every=50):
        some = drawn[first : first + AT_ONCE]
        seen, clean = (torch.stack(pictures) for pictures in zip(*map(items.pictures, some), strict=True))
        for name, values in (("tokens", student.tokens(seen)), ("taught", student.taught(clean))):
            if name not in arrays:
                shape = (len(drawn), *values.shape[1:])
                arrays[name] = create_array(folder / f"{name}.npy", np.float16, shape)
            arrays[name][first : first + len(some)] = values.float().cpu().numpy()
    for array in arrays.values():
        array.flush()
