"""Three names in one pass against three runs: python benchmarks/select_all.py [SECONDS] [MODEL] [STEPS]

Processor time, of encoding the pictures (the trunk and what each name selects from it) and in all, of `select_all` with
three names, not apart, and of three runs with `select`; and whether their sounds are equal. A model without a selection
gets one that is not trained: times do not depend on its weights.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from stream import RATE, gym_frames

import openfoley
from openfoley.encoders.selective_sync import GYM, SelectiveSync
from openfoley.encoders.sync import SyncEncoder
from openfoley.hub.parts import Model
from openfoley.hub.selection import selection_tensors, selective_model
from openfoley.media.frames import FrameChunk
from openfoley.media.source import Source
from openfoley.request import Request
from openfoley.synthesis.features import FeatureRun, ShotEncoding
from openfoley.synthesis.selection import model_for

NAMES = ("wooden ball", "steel box", "stone shoes")


class Clock:
    """Processor seconds in the frame encoders."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def of(self, work: Callable) -> Callable:
        def timed(*words: object) -> object:
            begun = time.process_time()
            made = work(*words)
            self.seconds += time.process_time() - begun
            return made

        return timed

    def of_each(self, work: Callable[..., Iterator[FeatureRun]]) -> Callable[..., Iterator[FeatureRun]]:
        def timed(*words: FrameChunk) -> Iterator[FeatureRun]:
            runs = work(*words)
            while (run := self.of(next)(runs, None)) is not None:
                yield run

        return timed


def selecting(model: Model) -> Model:
    if model.selective is not None:
        return model
    trunk = model.parts["sync"]
    assert isinstance(trunk, SyncEncoder), "a model of SelVA's kind, or one with a sync encoder of the Gym's"
    return replace(
        model, selective=selective_model(model, GYM, selection_tensors(model, SelectiveSync(trunk, GYM)), "")
    )


def main(seconds: float = 24.0, name: str = "salsa-v-gym", steps: int = 8) -> None:
    torch.set_num_threads(1)
    pipeline, source = openfoley.load(name), Source.tensor(gym_frames(seconds), RATE)
    if not any(hasattr(encoder, "select") for encoder in pipeline.model.encoders.values()):
        pipeline = replace(pipeline, model=selecting(pipeline.model))
    clock = Clock()
    for method in ("push", "finish"):
        setattr(ShotEncoding, method, clock.of_each(getattr(ShotEncoding, method)))
    request = Request.of(select=NAMES[0], steps=steps, cuts="none")
    encoder = type(model_for(pipeline.model, request).encoders["sync"])
    setattr(encoder, "select", clock.of(getattr(encoder, "select")))  # noqa: B009, B010
    spent: list[tuple[float, float]] = []

    def measured(make: Callable[[], list[openfoley.Take]]) -> list[openfoley.Take]:
        clock.seconds, begun = 0.0, time.process_time()
        takes = make()
        spent.append((clock.seconds, time.process_time() - begun))
        return takes

    pipeline.generate(source, request)  # warm
    together = measured(lambda: [t for (t,) in pipeline.select_all(
        source, NAMES, request=replace(request, prompting=replace(request.prompting, select=None)), apart=False
    ).values()])  # fmt: skip
    single = measured(lambda: [pipeline.generate(source, request, select=one) for one in NAMES])
    equal = sum(torch.equal(a.audio.samples, b.audio.samples) for a, b in zip(together, single, strict=True))
    for title, (pictures, everything) in zip(("select_all, 3 names", "3 runs"), spent, strict=True):
        print(f"{title:<20} pictures {pictures:6.2f} s, in all {everything:6.2f} s")
    shares = [ours / theirs for ours, theirs in zip(*spent, strict=True)]
    print(f"ratio: pictures {shares[0]:.2f}, in all {shares[1]:.2f}; {equal} of {len(NAMES)} sounds are equal")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(*(kind(word) for kind, word in zip((float, str, int), words, strict=False)))
