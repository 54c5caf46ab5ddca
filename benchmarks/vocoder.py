"""The 44.1 kHz vocoder against diffusers' MMAudioVocoder, the same seeded weights, one thread.

    python benchmarks/vocoder.py [FRAMES] [RUNS]      medians of CPU seconds, measured alternately, and errors
    python benchmarks/vocoder.py memory [WIDTH]       peak memory of decoding 8, 16 and 60 s

FRAMES: mel frames of 512 samples. Times are CPU seconds of the process (user + kernel), little affected by other
processes. WIDTH: channels of the first layer (1536 is the published network; the mel VAE shrinks in proportion).
"""

import copy
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "goldens"))


def speed(frames: int = 256, runs: int = 3) -> None:
    import seeded
    from diffusers import MMAudioVocoder

    from openfoley.codecs import bigvgan
    from openfoley.codecs.oobleck import fold_weight_norm

    state = seeded.state(json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())["bigvgan_v2_44k"])
    with torch.device("meta"):
        theirs, ours = MMAudioVocoder(), bigvgan.BigVgan(bigvgan.BIGVGAN_V2_44K)
    theirs.load_state_dict(fold_weight_norm(state), assign=True)
    ours.load_state_dict(bigvgan.from_mmaudio(state), assign=True)
    halved = copy.deepcopy(ours).bfloat16()
    variants = {
        "diffusers float32": lambda mel: theirs.eval()(mel).sample,
        "ours float32": ours.eval(),
        "ours bfloat16": halved.eval(),
    }
    mel = -2 + torch.randn(1, 128, frames, generator=torch.Generator().manual_seed(0))
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    waves = {}
    for run in range(runs + 1):
        for name, vocoder in variants.items():
            begun = time.process_time()
            waves[name] = vocoder(mel if run else mel[..., :16])
            if run:  # the first only warms up
                seconds[name].append(time.process_time() - begun)
    reference = waves["diffusers float32"]
    base = statistics.median(seconds["diffusers float32"])
    print(f"{frames} mel frames ({frames * 512 / 44100:.2f} s of sound), medians of {runs}, one thread")
    for name, taken in seconds.items():
        error = waves[name] - reference
        decibels = 20 * float((error.norm() / reference.norm()).clamp(min=1e-12).log10())
        median = statistics.median(taken)
        print(
            f"{name:18s} {median:7.2f} CPU s  {base / median:5.2f} x   largest error {float(error.abs().max()):.1e}, "
            f"{decibels:.0f} dB against the signal"
        )


def memory(width: int = 1536) -> None:
    for duration in (8, 16, 60):
        subprocess.run([sys.executable, __file__, "decode", str(width), str(duration)], check=True)


def decode(width: int, duration: int) -> None:
    from openfoley.codecs import bigvgan, mmaudio

    bigvgan.INITIAL_CHANNELS = width
    vae = replace(mmaudio.CODEC_44K.vae, width=mmaudio.CODEC_44K.vae.width * width // 1536)
    codec = mmaudio.MMAudioCodec(replace(mmaudio.CODEC_44K, vae=vae)).eval()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    latent = torch.randn(1, round(duration * codec.latent_rate), codec.latent_dim)
    samples = codec.decode(latent)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sound_mb = samples.numel() * samples.element_size() / 2**20
    print(
        f"{duration:3d} s: peak {peak / 1024:.0f} MiB, {(peak - before) / 1024:.0f} MiB above the loaded model, "
        f"of which the sound itself is {sound_mb:.1f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    mode, *rest = sys.argv[1:] or ["256"]
    if mode in ("memory", "decode"):
        {"memory": memory, "decode": decode}[mode](*(int(value) for value in rest))
    else:
        speed(int(mode), *(int(value) for value in rest))
