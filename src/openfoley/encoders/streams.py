"""What the streams of encoders share: frames that are held, streams of groups, and whole videos through a stream."""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.encoders.base import FrameEncoder

FrameRows = UInt8[Tensor, "frames 3 height width"]
Features = Float[Tensor, "features dim"]


class HeldFrames:
    """The frames of a video that are still needed, in order."""

    def __init__(self) -> None:
        self.held: list[Tensor] = []
        self.next_index = 0  # of the frame that comes next

    @property
    def held_from(self) -> int:
        """Index of held[0]."""
        return self.next_index - len(self.held)

    def hold(self, frames: FrameRows, first_index: int) -> None:
        if first_index != self.next_index:
            raise ValueError(f"frames must follow one another: expected frame {self.next_index}, got {first_index}")
        self.held.extend(frames)
        self.next_index += len(frames)


class GroupStream(HeldFrames):
    """Each frame by itself, `at_once` of them together through the network. features: of some frames, one each."""

    def __init__(self, features: Callable[[FrameRows], Features], at_once: int) -> None:
        super().__init__()
        self.features, self.at_once = features, at_once

    def push(self, frames: FrameRows, first_index: int) -> list[Features]:
        self.hold(frames, first_index)
        results = []
        while len(self.held) >= self.at_once:
            results.append(self.features(torch.stack(self.held[: self.at_once])))
            self.held = self.held[self.at_once :]
        return results

    def flush(self) -> list[Features]:
        held, self.held = self.held, []
        return [self.features(torch.stack(held))] if held else []


def encoded_by_rows(
    encoder: FrameEncoder, frames: UInt8[Tensor, "batch time 3 height width"]
) -> Float[Tensor, "batch n dim"]:
    """Each video through a stream of its own, so that a row never depends on others."""
    rows = []
    for video in frames:
        stream = encoder.stream()
        rows.append(torch.cat(stream.push(video, 0) + stream.flush()))
    return torch.stack(rows)
