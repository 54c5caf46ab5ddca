"""The file that a training resumes from; one of other settings or data is refused by name."""

from pathlib import Path
from typing import Any

import torch

from openfoley.errors import UsageError, WeightsError
from openfoley.media.write.atomic import cannot_write, whole_file

NAME = "checkpoint.pt"
FORMAT = 2
"""1 held averages and Muon's state in classes of our own."""


def check_unused(folder: Path, resume: bool) -> None:
    """Raises UsageError if a training lies in the folder that is not to be resumed."""
    path = folder / NAME
    if path.exists() and not resume:
        raise UsageError(f"{path} exists; resume that training (--resume) or choose another folder")


def read_checkpoint(path: Path, about: dict[str, Any], total_steps: int) -> dict[str, Any]:
    """{step, elapsed_s, state, ...}; `about` is what the training's own checkpoints say of it (seed, identity)."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        step, seed = checkpoint["step"], checkpoint["seed"]
    except (OSError, MemoryError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None
    except Exception as error:  # whatever pickle and zip say of a damaged or foreign file
        raise WeightsError(
            f"{path} is no checkpoint of a training ({type(error).__name__}); delete it to train again"
        ) from None
    if (found := checkpoint.get("format", 1)) != FORMAT:
        raise WeightsError(
            f"{path} has format {found} of another version of OpenFoley, this one reads {FORMAT}; choose another "
            "folder, or delete it to train again"
        )
    if seed != about["seed"]:
        raise UsageError(f"{path} was trained with seed {seed}, got {about['seed']}")
    theirs, ours = checkpoint["identity"], about["identity"]
    if changed := sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name)):
        raise UsageError(
            f"{path} is of a training with another {' and '.join(changed)}; choose another folder, or delete it to "
            "train again"
        )
    if step > total_steps:
        raise UsageError(f"{path} is at step {step}, past the {total_steps} asked; choose another folder")
    return checkpoint


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """A kill at any instant leaves a whole checkpoint."""
    try:
        with whole_file(path) as file:
            torch.save({"format": FORMAT, **content}, file)
    except RuntimeError as error:  # torch's for a full disk
        raise cannot_write(path, error) from error
