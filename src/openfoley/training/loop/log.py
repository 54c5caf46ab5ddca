"""The figures and pictures of a training: log.csv (step, name, value), pictures/ and, with its package, TensorBoard."""

import csv
import logging
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

NAME = "log.csv"
COLUMNS = ["step", "name", "value"]


class TrainingLog:
    """Rows of steps that the resumed checkpoint has not seen are dropped, and a row that a kill cut short."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self.folder, self.first_step = folder, first_step
        self._missing: set[str] = set()  # packages whose absence has been said
        self._tensorboard: SummaryWriter | None = None
        rows: list[list[str]] = []
        if (folder / NAME).exists() and first_step > 0:
            with open(folder / NAME, newline="", encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if len(row) == len(COLUMNS) and row[0].isdigit()]
        partial = folder / f"{NAME}.partial"
        with open(partial, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *(row for row in rows if int(row[0]) < first_step)])
        os.replace(partial, folder / NAME)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with open(self.folder / NAME, "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([step, name, repr(value)] for name, value in values.items())
        if self._has("tensorboard", "training", "figures go to log.csv only, not to TensorBoard"):
            for name, value in values.items():
                self._writer().add_scalar(name, value, step)

    def picture(self, step: int, name: str, draw: "Callable[[], Figure]") -> None:
        """Saves the figure as pictures/NAME-STEP.png, and shows it in TensorBoard; without matplotlib there is none."""
        if not self._has("matplotlib", "plots", "validation pictures are not drawn"):
            return
        path = self.folder / "pictures" / f"{name}-{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        draw().savefig(path)
        if self._tensorboard is not None:
            from matplotlib.image import imread

            self._tensorboard.add_image(name, imread(path)[..., :3], step, dataformats="HWC")

    def close(self) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()
            self._tensorboard = None

    def _has(self, package: str, extra: str, without: str) -> bool:
        """Whether an optional package is there; its absence is said once."""
        if find_spec(package) is not None:
            return True
        if package not in self._missing:
            logger.warning("%s: %s is not installed; pip install 'openfoley[%s]'", without, package, extra)
            self._missing.add(package)
        return False

    def _writer(self) -> "SummaryWriter":
        if self._tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(self.folder / "tb"), purge_step=self.first_step)
        return self._tensorboard
