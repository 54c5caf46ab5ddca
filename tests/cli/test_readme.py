"""Every command and every Python name that the README shows exists."""

import re
import shlex
from pathlib import Path

import openfoley
from openfoley.cli.arguments import build_parser, protect_dashes

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_readme_commands_are_understood() -> None:
    commands = re.findall(r"^openfoley (.*?)(?:  +#.*)?$", README, flags=re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        assert build_parser().parse_args(protect_dashes(shlex.split(command))).run


def test_readme_make_targets_exist() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_readme_python_runs(tiny_model: Path, make_video, tmp_path: Path, monkeypatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    video = make_video(duration_s=4.5)
    monkeypatch.chdir(tmp_path)
    Path("video.mp4").write_bytes(video.read_bytes())
    real = openfoley.load
    monkeypatch.setattr(openfoley, "load", lambda name: real(tiny_model), raising=False)
    names: dict[str, object] = {}
    for code in blocks:
        exec(compile(code, "README.md", "exec"), names)
    assert Path("video.foley.mp4").exists() and Path("edited.mov").exists()
