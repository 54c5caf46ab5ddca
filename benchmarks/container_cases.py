"""Every file of a folder through `openfoley generate`: python benchmarks/container_cases.py FOLDER.

Needs ffprobe. The default model with one step in one process; each output is compared with its input as ffprobe
reports both: packets, their times from the first one, how long they last, codec tag (where the container is the same,
not in Matroska, where a native form may replace a FOURCC), sample aspect, frame rate, colour, field order, side data
and its values (spherical, stereo, Dolby Vision, rotation, HDR), timecode, chapters, the movie's tags, and every other
stream with its language and disposition, unless a message said that it is left out. One line a file: ok, SOUND (no
container holds the picture, the sound alone was written), REFUSED with the reason, or the fields that differ. Exit code
1 where a field differs, or where a file was refused only while it was written.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

OWN_TAGS = {
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "timecode",
    "duration",
    "handler_name",
    "software",
}
MXF_TAGS = ("uid", "umid", "_name", "version", "platform", "operational", "modification")  # of the writing software
COLOUR = (
    "color_range",
    "color_space",
    "color_transfer",
    "color_primaries",
    "chroma_location",
    "field_order",
    "pix_fmt",
)
TITLE = "OpenFoley"  # of our own sound
TICK_S = 0.0011  # Matroska's tick, and rounding


def probed(path: Path, *words: str) -> dict:
    done = subprocess.run(["ffprobe", "-v", "quiet", "-of", "json", *words, str(path)], capture_output=True, text=True)
    return json.loads(done.stdout or "{}")


def other_streams(streams: list[dict], picture: dict, with_ours: bool) -> list[str]:
    """Each stream but the picture, our own sound and timecode tracks: kind, codec, language and disposition.
    with_ours: our own sound is there; in a container without titles it is the last sound."""
    found = []
    sounds = [one for one in streams if one["codec_type"] == "audio"]
    is_named = any(TITLE in one.get("tags", {}).values() for one in sounds)
    unnamed = sounds[-1] if with_ours and sounds and not is_named else None
    for one in streams:
        tags = one.get("tags", {})
        is_ours = TITLE in tags.values() or one is unnamed
        if one["index"] == picture["index"] or is_ours or one.get("codec_tag_string") == "tmcd":
            continue
        marks = [name for name, is_set in one.get("disposition", {}).items() if is_set]
        words = [
            one["codec_type"],
            one.get("codec_name", ""),
            tags.get("language", "und"),
            tags.get("title", ""),
            *marks,
        ]
        found.append(" ".join(word for word in words if word))
    return sorted(found)


def facts(path: Path, with_ours: bool = False) -> dict[str, object]:
    """What is compared, by name. with_ours: of an output."""
    report = probed(path, *"-show_format -show_packets -show_data_hash MD5 -select_streams v:0 -show_streams".split())
    whole = probed(path, "-show_streams", "-show_chapters")
    picture = report["streams"][0]
    packets = [p for p in report["packets"] if int(p["size"])]
    times = [float(p["pts_time"]) for p in packets if "pts_time" in p]
    orders = [float(p["dts_time"]) for p in packets if "dts_time" in p]
    begins_again = any(later < earlier for earlier, later in pairwise(orders))  # streams joined byte by byte
    tags = {**report["format"].get("tags", {})}
    timecode = next((t["timecode"] for t in (picture.get("tags", {}), tags) if "timecode" in t), None)
    kept = {k.lower(): v for k, v in tags.items() if k.lower() not in OWN_TAGS and not any(m in k for m in MXF_TAGS)}
    return {
        "packets": [p["data_hash"] for p in packets],
        "times": [t - min(times) for t in times] if len(times) == len(packets) and not begins_again else [],
        "duration": max(times) - min(times) + float(packets[times.index(max(times))].get("duration_time", 0))
        if len(times) == len(packets) and not begins_again
        else None,
        "tag": (report["format"]["format_name"], picture["codec_tag_string"]),
        "aspect": picture.get("sample_aspect_ratio", "1:1").replace("0:1", "1:1").replace("N/A", "1:1"),
        "rate": picture["r_frame_rate"],
        "side data": sorted(map(str, picture.get("side_data_list", []))),
        "colour": [picture.get(name) for name in COLOUR],
        "streams": other_streams(whole["streams"], picture, with_ours),
        "chapters": [(c["start_time"], c["end_time"], c.get("tags", {}).get("title")) for c in whole["chapters"]],
        "timecode": timecode,
        "tags": kept,
    }


def differences(before: Path, after: Path, said: str = "") -> list[str]:
    """said: the messages of the run, which name streams that are left out."""
    a, b = facts(before), facts(after, with_ours=True)
    found = [name for name in ("aspect", "side data", "timecode", "chapters") if a[name] != b[name]]
    if any(x not in (None, y) for x, y in zip(a["colour"], b["colour"], strict=True)):
        found.append("colour")
    if len(a["streams"]) - said.count("cannot hold stream") != len(b["streams"]) or (
        a["tag"][0] == b["tag"][0] and not set(b["streams"]) <= set(a["streams"])
    ):
        found.append("streams")
    if a["timecode"] is None and "timecode" in found:  # of a track whose flags ffprobe refuses
        found.remove("timecode")
    if len(a["packets"]) != len(b["packets"]) or (a["tag"][0] == b["tag"][0] and a["packets"] != b["packets"]):
        found.append("packets")
    if a["tag"][0] == b["tag"][0] and a["tag"][1] != b["tag"][1] and "matroska" not in a["tag"][0]:
        found.append("tag")
    if a["times"] and b["times"] and max(abs(x - y) for x, y in zip(a["times"], b["times"], strict=False)) > TICK_S:
        found.append("times")
    lengths = [x["duration"] for x in (a, b)]
    if None not in lengths and abs(lengths[0] - lengths[1]) > 1 / max(1.0, float(Fraction(b["rate"]))) + TICK_S:
        found.append("duration")
    rates = [Fraction(x["rate"]) if not x["rate"].endswith("/0") else None for x in (a, b)]
    if None in rates or abs(rates[0] - rates[1]) > rates[0] / 1000:
        found.append("rate")
    if a["tag"][0] == b["tag"][0] and not a["tags"].items() <= b["tags"].items():
        found.append("tags")
    return [f"{name} ({a[name]} -> {b[name]})"[:160] if name not in ("packets", "times") else name for name in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="write the outputs here, and use those that are there")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        out, names = (options.keep or Path(place) / "out").absolute(), Path(place) / "in"
        names.mkdir()
        files = sorted(path.absolute() for path in options.folder.iterdir() if path.is_file())
        linked = [
            names / f"{path.stem}__{path.suffix[1:]}{path.suffix}" for path in files
        ]  # x.dv and x.flv: two outputs
        for file, link in zip(files, linked, strict=True):
            link.symlink_to(file)
        command = "import sys; from openfoley.cli import main; sys.exit(main())"
        words = ["generate", *map(str, linked), "--out-dir", str(out), "--steps", "1"]
        done = subprocess.run([sys.executable, "-c", command, *words], capture_output=True, text=True, check=False)
        said = {m[1]: m[2] for m in re.finditer(r"\d+ of \d+: (\S+)\n((?:(?!openfoley: \d).*\n)*)", done.stderr)}
        errors = dict(re.findall(r"\d+ of \d+: (\S+)\n(?:(?!openfoley: \d).*\n)*?openfoley: error: (.*)", done.stderr))
        for file, link in zip(files, linked, strict=True):
            outputs = list(out.glob(f"{link.stem}.foley.*")) if out.exists() else []
            if not outputs:
                reason = errors.get(str(link), "no reason given")
                failed += "cannot write" in reason
                line = f"REFUSED {reason.replace(f'{names}/', '')}"
            elif outputs[0].suffix == ".wav":
                line = "SOUND"
            else:
                wrong = differences(file, outputs[0], said.get(str(link), ""))
                failed += bool(wrong)
                line = f"{outputs[0].suffix} " + ("ok" if not wrong else "; ".join(wrong))
            print(f"{file.name}: {line}", flush=True)
    print(f"{len(files)} files, {failed} with a difference")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
