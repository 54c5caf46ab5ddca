"""The demo leaves what it promises."""

import json
from pathlib import Path

import av
import pytest

from openfoley.cli import main


def test_demo_leaves_video_and_picture(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from openfoley.evaluation.reports import demo

    monkeypatch.setattr(demo, "WIDTH", 64)
    monkeypatch.setattr(demo, "HEIGHT", 48)
    assert main(["demo", "--model", str(tiny_model), "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    assert (tmp_path / "out" / "demo.png").read_bytes()[:4] == b"\x89PNG"
    with av.open(str(tmp_path / "out" / "demo.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_evaluate_sync_prints_tables_or_one_object(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = tmp_path / "truth"
    assert main(["gym", "render", "--seed", "20000000", "--duration", "2", "--size", "64x48", "--out", str(truth)]) == 0
    generated = tmp_path / "generated"
    generated.mkdir()
    (generated / "20000000.wav").write_bytes((truth / "20000000.wav").read_bytes())
    capsys.readouterr()
    command = ["evaluate", "sync", str(generated), str(truth), "--model", str(tiny_model)]
    assert main(command) == 0
    assert "ceiling: true sound through the codec" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"generated", "missing", "ceiling_true_sound", "ceiling_through_codec"} <= result.keys()
    assert result["generated"]["everything"] == result["ceiling_true_sound"]["everything"]
