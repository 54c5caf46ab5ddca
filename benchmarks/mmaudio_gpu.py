"""MMAudio's parts on one GPU against their operation counts: python benchmarks/mmaudio_gpu.py [--seconds N]
[--out FILE] [--steps N] [--device DEVICE] [--tiny]

8 s of video, small-16k and large-44k-v2, random weights, bfloat16, batch 1 and 8: features (both encoders and text),
sampling (`sample_latents`: 25 Euler steps with guidance) and decoding (VAE and vocoder), eager and compiled.
Medians of times between two CUDA events. The floor: operations of one pass (matrix products, attention, convolutions),
counted at batch 1, over the rate of one large bfloat16 product, measured first.

Repeated modules (transformer blocks; of the decoder the vocoder's activations) are compiled separately, so that equal
ones share code; the rest of such a run is eager. The encoders run as in the pipeline, a fixed number of frames per
call, video by video; "whole" encodes all frames of all videos in one call.

The most important measurements come first. Those estimated not to finish within N seconds (compilation included) are
skipped and listed. `--device cpu --tiny` runs everything on tiny networks and less sound, to test this script.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import torch
from mmaudio_flow import GUIDANCE, random_conditions, random_weights, velocity
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from openfoley.codecs import bigvgan
from openfoley.codecs.mmaudio import CODEC_16K, CODEC_44K, MMAudioCodec
from openfoley.codecs.snake import Snake
from openfoley.encoders.clip import DFN5B_VIT_H_14, ClipEncoder
from openfoley.encoders.clip_tokenizer import clip_tokenizer
from openfoley.encoders.synchformer import PIXEL_MEAN, PIXEL_STD, SYNCHFORMER, SynchformerEncoder
from openfoley.flow.noise import NoiseSource
from openfoley.generators.mmaudio.config import LARGE_44K_V2, SMALL_16K
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.sampling import sample_latents
from openfoley.request import Sampling
from openfoley.types import Conditions

SMALL, LARGE, BOTH = "small-16k", "large-44k-v2", "both"  # the encoders are the same for both
BATCHES = (1, 8)
DURATION_S = 8
PROMPT = "a dog barks behind a wooden fence"
CEILING_SIZE = 8192  # rows and columns of the product that measures the highest rate; 512 with --tiny
RUNS, PATIENCE_S = 5, 2.5  # most timed runs, and the time after which no further one starts
NEEDED_S = {"eager": 2.0, "compiled": 12.0}  # estimates, for skipping measurements shortly before the end
LONGEST_ERROR = 300  # characters
FEATURES = ("CLIP", "CLIP whole", "Synchformer", "Synchformer whole", "text")


@dataclass(frozen=True)
class Asked:
    """One measurement."""

    part: str
    variant: str
    batch: int
    mode: str


@dataclass(frozen=True)
class Measured(Asked):
    """Times in milliseconds, of the whole batch. first_s: the first run, which compiles; operations are counted before.
    graph_breaks: of a compiled block."""

    median_ms: float
    fastest_ms: float
    runs: int
    floor_ms: float
    tera_operations: float
    first_s: float
    peak_gb: float
    graph_breaks: int

    @property
    def ratio(self) -> float:
        return self.median_ms / self.floor_ms


HEADER = (
    "| part | variant | batch | mode | median ms | floor ms | ratio | ms a video | first run s | peak GB | breaks |"
)


def row(one: Measured) -> str:
    return (
        f"| {one.part} | {one.variant} | {one.batch} | {one.mode} | {one.median_ms:.2f} | {one.floor_ms:.3f} | "
        f"{one.ratio:.1f} | {one.median_ms / one.batch:.2f} | {one.first_s:.1f} | {one.peak_gb:.1f} | "
        f"{one.graph_breaks} |"
    )


@dataclass(frozen=True)
class Job:
    """run: timed. counted: passes of batch 1 and how often each runs. blocks: compiled."""

    run: Callable[[], object]
    counted: Sequence[tuple[Callable[[], object], int]]
    blocks: Sequence[nn.Module]


class Networks:
    """Makes every network once, on the device, on first use."""

    def __init__(self, device: torch.device, steps: int, tiny: bool) -> None:
        self.device, self.steps = device, steps
        self.flow = {SMALL: SMALL_16K, LARGE: LARGE_44K_V2}
        self.codecs = {SMALL: CODEC_16K, LARGE: CODEC_44K}
        self.clip_config, self.sync_config = DFN5B_VIT_H_14, SYNCHFORMER
        self.generator, self.codec, self.clip, self.synchformer = map(
            cache, (self.made_generator, self.made_codec, self.made_clip, self.made_synchformer)
        )
        if tiny:
            self.shrink()

    def shrink(self) -> None:
        small = {"width": 64, "heads": 1, "mlp_width": 64, "joint_blocks": 2, "audio_blocks": 2, "window_latents": 40}
        self.flow = {name: replace(config, **small) for name, config in self.flow.items()}
        self.codecs = {name: replace(c, vae=replace(c.vae, width=16)) for name, c in self.codecs.items()}
        bigvgan.INITIAL_CHANNELS = 64
        self.clip_config = replace(
            self.clip_config, shown_size=32, image_size=28, vision_width=32, vision_layers=2, vision_heads=2,
            vision_mlp=64, embedding=32, text_width=32, text_layers=2, text_heads=2, text_mlp=64, vocabulary=1024,
        )  # fmt: skip
        self.sync_config = replace(self.sync_config, image_size=32, hidden_size=32, heads=2, mlp_size=64, layers=2)

    def made_generator(self, variant: str) -> MMAudioGenerator:
        return random_weights(lambda: MMAudioGenerator(self.flow[variant]), self.device).bfloat16()

    def made_codec(self, variant: str) -> MMAudioCodec:
        codec = random_weights(lambda: MMAudioCodec(self.codecs[variant]), self.device)
        for name, statistic in codec.named_buffers():
            statistic.fill_(1.0 if name.endswith("_std") else 0.0)
        return codec.bfloat16()

    def made_clip(self) -> ClipEncoder:
        tokenizer = clip_tokenizer([]).to_str()  # bytes as pieces: as many tokens for the network
        encoder = random_weights(lambda: ClipEncoder(self.clip_config, tokenizer), self.device)
        encoder._number_places()  # the only buffers
        return encoder.to(self.device, torch.bfloat16)

    def made_synchformer(self) -> SynchformerEncoder:
        return random_weights(lambda: SynchformerEncoder(self.sync_config), self.device).bfloat16()

    def job(self, part: str, variant: str, batch: int) -> Job:
        if part == "sampling":
            return self.sampling(variant, batch)
        if part == "decoding":
            return self.decoding(variant, batch)
        if part == "text":
            clip = self.clip()
            one, run = (lambda count=count: clip.encode_text([PROMPT] * count) for count in (1, batch))
            return Job(run, [(one, 1)], layers(clip.text))
        return self.pictures(part, batch)

    def sampling(self, variant: str, batch: int) -> Job:
        generator = self.generator(variant)
        latents = generator.window_latents
        with self.device:
            conditions = random_conditions(generator)
            x, t = torch.randn(1, latents, generator.latent_dim), torch.tensor([0.3])
        both, given = Conditions.joined([conditions, conditions.null()]), conditions.select([0] * batch)
        prepared = generator.prepare(both, latents)
        noise, sampling = NoiseSource(range(batch), latents), Sampling(steps=self.steps, guidance=GUIDANCE)
        counted = [
            (lambda: generator.prepare(both, latents), 1),
            (lambda: velocity(generator, x, t, prepared), self.steps),
        ]
        return Job(
            lambda: sample_latents(generator, given, noise, sampling), counted, [*generator.joint, *generator.audio]
        )

    def decoding(self, variant: str, batch: int) -> Job:
        codec, latents = self.codec(variant), self.flow[variant].window_latents
        latent = torch.randn(batch, latents, codec.latent_dim, device=self.device)
        activations = [module for module in codec.vocoder.modules() if isinstance(module, Snake)]
        return Job(lambda: codec.decode(latent), [(lambda: codec.decode(latent[:1]), 1)], activations)

    def pictures(self, part: str, batch: int) -> Job:
        encoder = self.clip() if part.startswith("CLIP") else self.synchformer()
        size = (batch, int(DURATION_S * encoder.rate), 3, encoder.height, encoder.width)
        frames = torch.randint(0, 256, size, dtype=torch.uint8, device=self.device)
        whole = {
            "CLIP whole": lambda videos: encoder.pictures(videos.flatten(0, 1).float() / 255),
            "Synchformer whole": lambda videos: encoder(self.segments(videos)),
        }
        encode = whole.get(part, encoder.encode)
        blocks = layers(encoder.vision) if isinstance(encoder, ClipEncoder) else list(encoder.blocks)
        return Job(lambda: encode(frames), [(lambda: encode(frames[:1]), 1)], blocks)

    def segments(self, videos: Tensor) -> Tensor:
        """uint8 [batch, time, 3, height, width] -> what Synchformer's `forward` reads, of all videos."""
        cut = videos.unfold(1, self.sync_config.segment_frames, self.sync_config.segment_hop).flatten(0, 1)
        return ((cut.movedim(-1, 1).float() / 255 - PIXEL_MEAN) / PIXEL_STD).bfloat16()


def layers(tower: nn.Module) -> list[nn.Module]:
    """CLIP's transformer blocks; where they are kept differs between versions of transformers."""
    return [module for module in tower.modules() if type(module).__name__ == "CLIPEncoderLayer"]


class Stopwatch:
    """Times, counts and reports. operations: of one pass at batch 1, by part and variant."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.operations: dict[tuple[str, str], float] = {}
        self.rate = 0.0  # operations per second

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def once(self, run: Callable[[], object]) -> float:
        """Milliseconds: between two events on a GPU, else on the clock."""
        if self.device.type != "cuda":
            begun = time.perf_counter()
            run()
            return 1000 * (time.perf_counter() - begun)
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    def measure_ceiling(self, size: int) -> None:
        left, right = (torch.randn(size, size, device=self.device, dtype=torch.bfloat16) for _ in range(2))
        times = [self.once(lambda: left @ right) for _ in range(15)][5:]
        self.rate = 2 * size**3 / statistics.median(times) * 1000

    def counted(self, asked: Asked, job: Job) -> float:
        """Operations at batch 1, counted with the eager network, in passes that also warm it up."""
        key = (asked.part.removesuffix(" whole"), asked.variant)
        if key not in self.operations:
            total = 0
            for run, times in job.counted:
                with FlopCounterMode(display=False) as counter:
                    run()
                total += times * counter.get_total_flops()
            self.operations[key] = total
        return self.operations[key]

    def measured(self, asked: Asked, job: Job) -> Measured:
        operations = asked.batch * self.counted(asked, job)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        if asked.mode == "compiled":
            for block in job.blocks:
                block.compile(dynamic=False)
        try:
            begun = time.perf_counter()
            job.run()
            self.wait()
            first_s = time.perf_counter() - begun
            times, begun = [self.once(job.run)], time.perf_counter()
            while len(times) < RUNS and time.perf_counter() - begun < PATIENCE_S:
                times.append(self.once(job.run))
            breaks = sum(torch._dynamo.utils.counters["graph_break"].values()) if asked.mode == "compiled" else 0
        finally:
            if asked.mode == "compiled":
                forget_compiled(job.blocks)
        return Measured(
            **asdict(asked),
            median_ms=statistics.median(times),
            fastest_ms=min(times),
            runs=len(times),
            floor_ms=1000 * operations / self.rate,
            tera_operations=operations / 1e12,
            first_s=first_s,
            peak_gb=torch.cuda.max_memory_allocated() / 1e9 if self.device.type == "cuda" else 0.0,
            graph_breaks=breaks,
        )


def forget_compiled(blocks: Sequence[nn.Module]) -> None:
    """Every measurement recompiles: code of other shapes would count against dynamo's recompile limit."""
    for block in blocks:
        block._compiled_call_impl = None
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def wanted() -> list[Asked]:
    """By importance."""
    eager = [
        *itertools.product(("sampling", "decoding"), (SMALL, LARGE), BATCHES),
        *itertools.product(FEATURES, (BOTH,), BATCHES),
    ]
    compiled = [
        *itertools.product(("sampling",), (LARGE, SMALL), BATCHES),
        *itertools.product(("decoding",), (LARGE, SMALL), BATCHES),
        *itertools.product(("CLIP whole", "Synchformer whole", "text"), (BOTH,), BATCHES),
    ]
    return [*(Asked(*one, "eager") for one in eager), *(Asked(*one, "compiled") for one in compiled)]


def environment(device: torch.device) -> dict[str, str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": name, "torch": torch.__version__, "cuda": str(torch.version.cuda), "dtype": "bfloat16"}


@torch.inference_mode()
def main(seconds: float, out: Path | None, steps: int, device: torch.device, tiny: bool, skip: int) -> None:
    begun = time.perf_counter()
    if device.type == "cpu":
        torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64  # all classes of blocks share one function of nn.Module
    watch, networks = Stopwatch(device), Networks(device, steps, tiny)
    watch.measure_ceiling(512 if tiny else CEILING_SIZE)
    report = {**environment(device), "tera_operations_per_s": watch.rate / 1e12, "steps": steps, "tiny": tiny}
    print(", ".join(f"{name} {value}" for name, value in report.items()), flush=True)
    done: list[Measured] = []
    missing: list[str] = []
    for asked in wanted()[skip:]:
        name = f"{asked.mode} {asked.part}, {asked.variant}, batch {asked.batch}"
        spent = time.perf_counter() - begun
        try:
            if spent + NEEDED_S[asked.mode] > seconds:
                raise TimeoutError(f"left out, {spent:.0f} of {seconds:g} s were over")
            done.append(watch.measured(asked, networks.job(asked.part, asked.variant, asked.batch)))
            line = row(done[-1])
        except Exception as error:  # no time, no memory, no compiler: other measurements may succeed
            line = f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:LONGEST_ERROR]}"
            missing.append(line)
        print(f"{time.perf_counter() - begun:5.1f} s  {line}", flush=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if out is not None:
            measured = [{**asdict(one), "ratio": one.ratio} for one in done]
            out.write_text(json.dumps({**report, "measured": measured, "missing": missing}, indent=1))
    print(f"\n{HEADER}\n|{' --- |' * HEADER[1:].count('|')}")
    for one in done:
        print(row(one))
    print(f"\n{len(missing)} missing; {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int, default=MMAudioGenerator.defaults.steps)
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--skip", type=int, default=0, help="of the first measurements; 19: those of an earlier run")
    main(**vars(parser.parse_args()))
