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
(Not where time ends a training before its steps do: its schedules follow the clock.)
"""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from openfoley.errors import OpenFoleyError, UsageError
from openfoley.media.write.atomic import make_folder
from openfoley.training.loop import checkpoint
from openfoley.training.loop.identity import identity_of
from openfoley.training.loop.log import TrainingLog
from openfoley.training.loop.schedule import warmup_cosine

logger = logging.getLogger(__name__)

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


class Every(NamedTuple):
    """Steps between checkpoints, and between log rows and progress lines."""

    save: int = 200
    log: int = 20


EVERY = Every()


class TrainingStopped(OpenFoleyError):
    """SIGTERM or SIGINT arrived: the state is saved, the training is not finished."""


class Run:
    """One folder with `checkpoint.pt`, `log.csv` (step, name, value), `tb/` and `pictures/`.

    total_steps: optimiser steps of the whole training.
    seed: of every random draw (`generator`); the global torch generator (dropout) is seeded by (seed, step) as well.
    resume: continue from the folder's checkpoint if there is one; without it an existing checkpoint is an error.
    identity: what the checkpoint belongs to (`loop.identity`); one that belongs to something else is an error.
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
        every: Every = EVERY,
        time_limit_s: float | None = None,
    ) -> None:
        self.folder, self.total_steps, self.seed = Path(folder), total_steps, seed
        self.every, self.time_limit_s = every, time_limit_s
        self._about = {"seed": seed, "identity": identity or {}}
        self._path = self.folder / checkpoint.NAME
        self._attached: dict[str, Stateful] = {}
        self._signal: int | None = None
        self._latest: dict[str, float] = {}
        make_folder(self.folder)
        checkpoint.check_unused(self.folder, resume)
        saved = checkpoint.read_checkpoint(self._path, self._about, total_steps) if self._path.exists() else {}
        self._state: dict[str, dict[str, Any]] = saved.get("state", {})
        self.first_step: int = saved.get("step", 0)
        self.elapsed_s: float = saved.get("elapsed_s", 0.0)  # earlier parts of a resumed run included
        self._started = time.monotonic() - self.elapsed_s  # when it would have begun without interruption
        self._log = TrainingLog(self.folder, self.first_step)
        self.picture = self._log.picture
        if saved:
            logger.info("resuming %s at step %d of %d", self.folder, self.first_step, total_steps)

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
        self._attached |= stateful
        for name, thing in stateful.items() if self.first_step else ():
            if name not in self._state:
                raise UsageError(f"{self._path} has no {name}; it is of another recipe")
            try:
                thing.load_state_dict(self._state.pop(name))
            except (RuntimeError, ValueError, KeyError) as error:  # other keys or shapes
                reason = str(error).splitlines()[0]
                raise UsageError(f"{self._path} does not fit {name} ({reason}); it is of another recipe") from None

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
        return step + 1 == self.total_steps or self._is_late(time.monotonic() - self._started)

    def steps(self) -> Iterator[int]:
        """Step numbers from the resumed one on. Saves every `every.save` steps, at the end, and on SIGTERM or SIGINT
        (after the current step, then raises `TrainingStopped`; a second SIGINT ends it at once)."""
        self._state = {}  # loaded by attach; frees the memory
        elapsed_before, self._started = self.elapsed_s, time.monotonic() - self.elapsed_s
        saved = done = self.first_step
        with self._noting_signals():
            while done < self.total_steps and not self._is_late(self.elapsed_s):
                torch.manual_seed(_mix(self.seed, done, 1))
                yield done
                done += 1
                self.elapsed_s = time.monotonic() - self._started
                if done % self.every.log == 0 or done == self.total_steps:
                    self._report(done, elapsed_before)
                if self._signal is not None:
                    break
                if done % self.every.save == 0:
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

    def log(self, step: int, *, always: bool = False, **scalars: float | Shaped[Tensor, ""]) -> None:
        """Writes scalars to the CSV and TensorBoard every `every.log` steps (else returns at once, without waiting for
        the device); `always` for figures that are computed rarely."""
        if always or step == self.total_steps - 1 or step % self.every.log == 0:
            values = {name: float(v.detach() if isinstance(v, Tensor) else v) for name, v in scalars.items()}
            self._latest |= values
            self._log.write(step, values)

    def _save(self, step: int) -> None:
        state = {name: thing.state_dict() for name, thing in self._attached.items()}
        content = {**self._about, "step": step, "elapsed_s": self.elapsed_s, "state": state}
        checkpoint.save_checkpoint(self._path, content)

    def _report(self, done: int, elapsed_before: float) -> None:
        steps_per_s = (done - self.first_step) / max(self.elapsed_s - elapsed_before, 1e-9)
        left = int((self.total_steps - done) / steps_per_s)
        scalars = "  ".join(f"{name} {value:.4g}" for name, value in self._latest.items())
        logger.info(
            "step %d/%d  %.2f steps/s  %d:%02d:%02d left  %s",
            *(done, self.total_steps, steps_per_s, left // 3600, left // 60 % 60, left % 60, scalars),
        )

    def _is_late(self, elapsed_s: float) -> bool:
        return self.time_limit_s is not None and elapsed_s >= self.time_limit_s

    @contextmanager
    def _noting_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT are noted instead of ending the process; closes the log at the end."""

        def note(received: int, _frame: FrameType | None) -> None:
            if self._signal is not None and received == signal.SIGINT:
                raise KeyboardInterrupt
            self._signal = received

        handlers = {}
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                try:
                    handlers[number] = signal.signal(number, note)
                except ValueError:  # signals are the main thread's business
                    break
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._log.close()


def _mix(*numbers: int) -> int:
    """A well-spread 63-bit seed from small integers (neighbouring seeds and steps give unrelated streams)."""
    return int(
        np.random.SeedSequence([number % 2**63 for number in numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    )
