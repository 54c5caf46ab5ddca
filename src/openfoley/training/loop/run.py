"""A training run that survives being killed: checkpoints, logs, progress.

A recipe reads

    run = Run.of(preset, folder, resume=True)
    run.attach(model=model, optimizer=optimizer, average=average)
    for step in run.steps():
        random = run.generator(step)
        ...
        run.log(step, loss=loss)

and continues after a kill with exactly the losses of the uninterrupted run: whatever was attached comes from the last
checkpoint, every random draw depends on (seed, step) alone, and log rows that the checkpoint has not seen are dropped.
(Not where time ends a training before its steps do: its schedules follow the clock.) A checkpoint of other settings or
data is refused.
"""

import csv
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from openfoley.data.disk import make_folder
from openfoley.errors import OpenFoleyError, UsageError, WeightsError
from openfoley.media.atomic import cannot_write
from openfoley.training.loop.identity import identity_of
from openfoley.training.loop.schedule import warmup_cosine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

CHECKPOINT_NAME = "checkpoint.pt"
FORMAT = 2
"""Of a checkpoint: 1 held averages and Muon's state in classes of our own."""
LOG_NAME = "log.csv"
LOG_COLUMNS = ["step", "name", "value"]
UNCOUNTED = 0.05
"""Share of the time limit in which schedules go by steps alone."""


class Stateful(Protocol):
    """What a checkpoint can hold: modules, optimisers."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


class Preset(Protocol):
    """What every record of a training's settings has."""

    @property
    def seed(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def time_limit_s(self) -> float | None: ...


class TrainingStopped(OpenFoleyError):
    """SIGTERM or SIGINT arrived: the state is saved, the training is not finished."""


class Run:
    """One folder with `checkpoint.pt`, `log.csv` (step, name, value), `tb/` and `pictures/`.

    total_steps: optimiser steps of the whole training.
    seed: of every random draw (`generator`); the global torch generator (dropout) is seeded by (seed, step) as well.
    resume: continue from the folder's checkpoint if there is one; without it an existing checkpoint is an error.
    identity: what the checkpoint belongs to (`loop.identity`); one that belongs to something else is an error.
    save_every, log_every: steps between checkpoints, and between log rows and progress lines.
    time_limit_s: the loop ends (normally, with a checkpoint) after this much time, summed over all resumptions; see
    `progress`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        total_steps: int,
        seed: int,
        resume: bool,
        identity: dict[str, Any] | None = None,
        save_every: int = 200,
        log_every: int = 20,
        time_limit_s: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.total_steps = total_steps
        self.seed = seed
        self.identity = identity or {}
        self.save_every = save_every
        self.log_every = log_every
        self.time_limit_s = time_limit_s
        self.elapsed_s = 0.0  # training time so far, earlier parts of a resumed run included
        self._attached: dict[str, Stateful] = {}
        self._signal: int | None = None
        self._started = time.monotonic()  # when it would have begun in one go
        self._latest: dict[str, float] = {}
        self._tensorboard: Any = None
        self._missing: set[str] = set()  # packages whose absence has been said
        make_folder(self.folder)
        self._checkpoint = self._read_checkpoint(resume)
        self.first_step: int = self._checkpoint["step"] if self._checkpoint else 0
        _keep_rows_before(self.folder / LOG_NAME, self.first_step)
        self._log_file = open(self.folder / LOG_NAME, "a", newline="", encoding="utf-8")

    @classmethod
    def of(cls, preset: Preset, folder: Path, *, resume: bool, beside: object = None) -> "Run":
        """The run that a dataclass of settings asks for; beside: another one that its checkpoint depends on."""
        identity = identity_of(preset) | (identity_of(beside) if beside is not None else {})
        return cls(
            folder, total_steps=preset.steps, seed=preset.seed, resume=resume, identity=identity,
            time_limit_s=preset.time_limit_s,
        )  # fmt: skip

    def attach(self, **stateful: Stateful) -> None:
        """Puts the state of these into every checkpoint, and the checkpoint's state into these (if one is resumed)."""
        for name, thing in stateful.items():
            self._attached[name] = thing
            if self._checkpoint is not None:
                if name not in self._checkpoint["state"]:
                    raise UsageError(f"{self.folder / CHECKPOINT_NAME} has no {name}; it is of another recipe")
                try:
                    thing.load_state_dict(self._checkpoint["state"].pop(name))
                except (RuntimeError, ValueError, KeyError) as error:  # other keys or shapes
                    reason = str(error).splitlines()[0]
                    raise UsageError(
                        f"{self.folder / CHECKPOINT_NAME} does not fit {name} ({reason}); it is of another recipe"
                    ) from None

    def generator(self, step: int, device: str | torch.device = "cpu") -> torch.Generator:
        """A generator that depends on (seed, step) alone: the draws of one step (-1: before the first)."""
        return torch.Generator(device).manual_seed(_mix(self.seed, step, 0))

    def progress(self, step: int) -> float:
        """Share of the training before `step`, 0 to 1, for whatever runs to an end over it: of the steps or of
        `time_limit_s`, the larger of the two. A training that time cuts short has thus been through its schedule.
        (The time counts from a twentieth on: a slow first step does not make a training one that time cuts short.)"""
        share = step / self.total_steps
        if self.time_limit_s and (passed := self.elapsed_s / self.time_limit_s) > UNCOUNTED:
            share = max(share, passed)
        return min(1.0, share)

    def rate_factor(self, step: int, warmup_steps: int) -> float:
        """Of the learning rate: `warmup_cosine` over the steps or the time."""
        return warmup_cosine(
            step, warmup_steps=warmup_steps, total_steps=self.total_steps, progress=self.progress(step)
        )

    def ends_with(self, step: int) -> bool:
        """Whether `step`, being done, is the last one: of all, or within the time."""
        is_late = self.time_limit_s is not None and self._elapsed_now() >= self.time_limit_s
        return step + 1 == self.total_steps or is_late

    def steps(self) -> Iterator[int]:
        """Step numbers from the resumed one on. Saves every `save_every` steps, at the end, and on SIGTERM or SIGINT
        (after the step in hand, then raises `TrainingStopped`; a second SIGINT ends it at once)."""
        self._checkpoint = None  # loaded by attach; frees the memory
        handlers = {number: self._catch(number) for number in (signal.SIGTERM, signal.SIGINT)}
        elapsed_before, self._started = self.elapsed_s, time.monotonic() - self.elapsed_s
        saved = done = self.first_step
        try:
            while done < self.total_steps and not self._out_of_time():
                torch.manual_seed(_mix(self.seed, done, 1))
                yield done
                done += 1
                self.elapsed_s = self._elapsed_now()
                if done % self.log_every == 0 or done == self.total_steps:
                    self._report(done, elapsed_before)
                if self._signal is not None:
                    break
                if done % self.save_every == 0:
                    self._save(done)
                    saved = done
            if saved < done:
                self._save(done)
            if self._signal is not None:  # after the last step too: what would come next is not wanted
                name = signal.Signals(self._signal).name
                raise TrainingStopped(f"training stopped by {name} after step {done}; continue it with --resume")
            if done < self.total_steps:
                logger.warning(
                    "%s: its %.0f minutes are over after step %d of %d; what depends on steps alone is unfinished",
                    self.folder, (self.time_limit_s or 0.0) / 60, done, self.total_steps,
                )  # fmt: skip
        finally:
            for number, handler in handlers.items():
                if handler is not None:
                    signal.signal(number, handler)
            self._close()

    def log(self, step: int, *, always: bool = False, **scalars: float | Tensor) -> None:
        """Writes scalars to the CSV and TensorBoard every `log_every` steps (else returns at once, without waiting for
        the device); `always` for figures that are computed rarely."""
        last = step == self.total_steps - 1
        if not (always or last or step % self.log_every == 0):
            return
        values = {
            name: float(value.detach() if isinstance(value, Tensor) else value) for name, value in scalars.items()
        }
        self._latest.update(values)
        writer = csv.writer(self._open_log())
        for name, value in values.items():
            writer.writerow([step, name, repr(value)])
            if (tensorboard := self._tensorboard_writer()) is not None:
                tensorboard.add_scalar(name, value, step)

    def picture(self, step: int, name: str, draw: "Callable[[], Figure]") -> None:
        """Saves the figure as pictures/NAME-STEP.png, and shows it in TensorBoard; without matplotlib there is none."""
        if find_spec("matplotlib") is None:
            self._say_once("validation pictures are not drawn", "matplotlib", "plots")
            return
        path = self.folder / "pictures" / f"{name}-{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        draw().savefig(path)
        if (tensorboard := self._tensorboard_writer()) is not None:
            from matplotlib.image import imread

            tensorboard.add_image(name, imread(path)[..., :3], step, dataformats="HWC")

    def _say_once(self, what: str, package: str, extra: str) -> None:
        if package not in self._missing:
            logger.warning("%s: %s is not installed; pip install 'openfoley[%s]'", what, package, extra)
            self._missing.add(package)

    def _read_checkpoint(self, resume: bool) -> dict[str, Any] | None:
        path = self.folder / CHECKPOINT_NAME
        check_unused(self.folder, resume)
        if not path.exists():
            return None
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            step, seed = checkpoint["step"], checkpoint["seed"]
        except (OSError, MemoryError) as error:
            raise WeightsError(f"{path} cannot be read: {error}") from None
        except Exception as error:  # whatever pickle and zip say of a damaged or foreign file
            raise WeightsError(
                f"{path} is no checkpoint of a training ({type(error).__name__}); delete it to train anew"
            ) from None
        if (found := checkpoint.get("format", 1)) != FORMAT:
            raise WeightsError(
                f"{path} has format {found} of another version of OpenFoley, this one reads {FORMAT}; choose another "
                "folder, or delete it to train anew"
            )
        identity = checkpoint["identity"]
        if seed != self.seed:
            raise UsageError(f"{path} was trained with seed {seed}, got {self.seed}")
        others = {*identity, *self.identity}
        if changed := sorted(name for name in others if identity.get(name) != self.identity.get(name)):
            raise UsageError(
                f"{path} is of a training with another {' and '.join(changed)}; choose another folder, or delete it to "
                "train anew"
            )
        if step > self.total_steps:
            raise UsageError(f"{path} is at step {step}, past the {self.total_steps} asked; choose another folder")
        self.elapsed_s = checkpoint["elapsed_s"]
        logger.info("resuming %s at step %d of %d", self.folder, checkpoint["step"], self.total_steps)
        return checkpoint

    def _save(self, step: int) -> None:
        """Complete on disk before it takes the old one's name: a kill at any instant leaves a whole checkpoint."""
        self._open_log().flush()
        state = {name: thing.state_dict() for name, thing in self._attached.items()}
        path = self.folder / CHECKPOINT_NAME
        partial = path.with_suffix(".partial")
        whole = {"format": FORMAT, "identity": self.identity, "step": step, "seed": self.seed}
        try:
            with open(partial, "wb") as file:
                torch.save({**whole, "elapsed_s": self.elapsed_s, "state": state}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except (OSError, RuntimeError) as error:  # torch has words of its own for a full disk
            partial.unlink(missing_ok=True)
            raise cannot_write(path, error) from error

    def _report(self, done: int, elapsed_before: float) -> None:
        steps_per_s = (done - self.first_step) / max(self.elapsed_s - elapsed_before, 1e-9)
        left = int((self.total_steps - done) / steps_per_s)
        scalars = "  ".join(f"{name} {value:.4g}" for name, value in self._latest.items())
        logger.info(
            "step %d/%d  %.2f steps/s  %d:%02d:%02d left  %s",
            *(done, self.total_steps, steps_per_s, left // 3600, left // 60 % 60, left % 60, scalars),
        )

    def _elapsed_now(self) -> float:
        return time.monotonic() - self._started

    def _out_of_time(self) -> bool:
        return self.time_limit_s is not None and self.elapsed_s >= self.time_limit_s

    def _catch(self, number: int) -> Any:
        """Notes the signal instead of dying; returns the handler to put back (None off the main thread)."""

        def note(received: int, _frame: FrameType | None) -> None:
            if self._signal is not None and received == signal.SIGINT:
                raise KeyboardInterrupt
            self._signal = received

        try:
            return signal.signal(number, note)
        except ValueError:  # signals are the main thread's business
            return None

    def _open_log(self) -> Any:
        if self._log_file.closed:
            self._log_file = open(self.folder / LOG_NAME, "a", newline="", encoding="utf-8")
        return self._log_file

    def _tensorboard_writer(self) -> Any:
        """Optional: without the package the CSV holds the same figures."""
        if self._log_file.closed:  # the steps are over
            return None
        if self._tensorboard is None and "tensorboard" not in self._missing:
            if find_spec("tensorboard") is None:
                self._say_once("figures go to log.csv only, not to TensorBoard", "tensorboard", "training")
            else:
                from torch.utils.tensorboard import SummaryWriter

                self._tensorboard = SummaryWriter(str(self.folder / "tb"), purge_step=self.first_step)
        return self._tensorboard

    def _close(self) -> None:
        self._log_file.close()
        if self._tensorboard:
            self._tensorboard.close()


def check_unused(folder: Path, resume: bool) -> None:
    """Raises UsageError if a training lies in the folder that is not to be resumed."""
    path = folder / CHECKPOINT_NAME
    if path.exists() and not resume:
        raise UsageError(f"{path} exists; resume that training (--resume) or choose another folder")


def _mix(*numbers: int) -> int:
    """A well-spread 63-bit seed from small integers (neighbouring seeds and steps give unrelated streams)."""
    return int(
        np.random.SeedSequence([number % 2**63 for number in numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    )


def _keep_rows_before(path: Path, step: int) -> None:
    """Drops the rows of later steps, and a row that a kill cut short."""
    rows: list[list[str]] = []
    if path.exists() and step > 0:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(LOG_COLUMNS) and row[0].isdigit()]
    partial = path.with_suffix(".partial")
    with open(partial, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([LOG_COLUMNS, *(row for row in rows if int(row[0]) < step)])
    os.replace(partial, path)
