"""openfoley attention: maps of the patches that attend to the words, at their instants, and [SUP]'s own curve."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.cli import main
from openfoley.encoders.selective_synchformer import SelectiveSynchformer
from openfoley.encoders.text_selection import CrossAttention
from openfoley.evaluation.reports.attention import AttentionMaps, attention_maps, draw
from openfoley.hub.load import load_model
from openfoley.media.frames import FrameChunk, FrameRequest
from openfoley.media.source import Source
from openfoley.synthesis.features import frame_encoders, frame_request


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video(duration_s=1.28, rate=Fraction(25), sound=True)


def test_maps_show_which_patch_attends_to_the_words_and_when(
    selective_model: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries along the keys of the words at one patch that moves, along those of [SUP] at all others."""
    model = load_model(selective_model)
    encoder = model.encoders["sync"]
    assert isinstance(encoder, SelectiveSynchformer) and isinstance(encoder.selection.mix, CrossAttention)
    mix, width = encoder.selection.mix, 32
    with torch.no_grad():
        mix.query.weight.copy_(torch.eye(width))
        mix.key_value.weight.copy_(torch.eye(width).repeat(2, 1))
        mix.query_norm.weight.fill_(1.0)
        mix.key_norm.weight.fill_(1.0)
        mix.query.bias.zero_()
        mix.key_value.bias.zero_()
    one = torch.ones(1, 1, width)
    keys = torch.cat([-one, -one, one], 1)
    monkeypatch.setattr(encoder.selection, "supplementary", torch.nn.Parameter(torch.zeros(2, 24)))
    monkeypatch.setattr(encoder.selection, "words", lambda text, is_word: (keys, torch.ones(1, 3, dtype=torch.bool)))
    places = encoder.trunk_dim // width
    truth = [k % places for k in range(16)]

    features = -torch.ones(16, places, width)
    for index, place in enumerate(truth):
        features[index, place] = 1.0
    runs = iter([features[:10].flatten(1), features[10:].flatten(1)])

    class Moving:
        """A trunk whose features are known, whatever it is given."""

        def push(self, frames: torch.Tensor, first_index: int) -> list[torch.Tensor]:
            return [run for run in (next(runs, None),) if run is not None]

        def flush(self) -> list[torch.Tensor]:
            return list(runs)

    monkeypatch.setattr(encoder, "stream", Moving)
    maps = attention_maps(model, Source.file(video), "ball")
    assert maps.words.flatten(1).argmax(1).tolist() == truth
    assert maps.words.amax((1, 2)).min() > 0.99 and maps.words.flatten(1).sort().values[:, -2].max() < 0.01
    torch.testing.assert_close(maps.supplementary_share, torch.full((16,), 1 - 1 / places), atol=0.01, rtol=0)
    assert maps.supplementary == 2
    torch.testing.assert_close(maps.time_s.diff(), torch.full((15,), 0.04))
    assert len(maps.pictures) == len(maps.picture_s) == 8 and float(maps.picture_s[-1]) < 1.28


def test_the_video_is_decoded_once_for_maps_and_pictures(
    selective_model: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, chunks = list[str](), Source.chunks

    def counted(self: Source, requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
        asked.extend(one.name for one in requests)
        return chunks(self, requests)

    monkeypatch.setattr(Source, "chunks", counted)
    model = load_model(selective_model)
    maps = attention_maps(model, Source.file(video), "ball")
    assert asked == ["sync"]
    frames = torch.cat(
        [chunk.frames for chunk in chunks(Source.file(video), [frame_request("sync", frame_encoders(model)["sync"])])]
    )
    assert torch.equal(maps.pictures, frames[[round(25 * float(at)) for at in maps.picture_s]])


def test_the_drawing_says_what_its_colours_and_curves_are_in() -> None:
    pytest.importorskip("matplotlib")
    words, pictures = torch.tensor([0.1, 0.7]).expand(4, 2, 2), torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
    maps = AttentionMaps(words, torch.arange(4) / 25, pictures, torch.arange(8) / 50, supplementary=2)
    bar, curves = draw(maps, "ball").axes[-2:]
    assert bar.get_ylabel() == curves.get_ylabel() == "share of attention (0 to 1)"
    assert bar.get_ylim() == pytest.approx((0.1, 0.7)) and curves.get_xlabel() == "time, s"


def test_the_command_draws_them_or_refuses_in_one_line(
    selective_model: Path, tiny_model: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out, own = tmp_path / "maps.png", ["--model", str(selective_model)]
    words = ["attention", str(video), "--select", "ball", "--out", str(out)]
    assert main([*words, *own]) == 0
    assert out.read_bytes().startswith(b"\x89PNG") and "on 5 [SUP] tokens" in capsys.readouterr().err
    for more, says in (
        (own, "exists"),
        ([*own, "--out", str(tmp_path / "maps.txt")], "must be one of .png, .pdf, .svg"),
        ([*own, "--force", "--select", " "], "select must not be empty"),
        ([*own, "--force", "--select", "ball " * 90], "tokens long, tiny-selva reads at most 63"),
        (["--force", "--model", str(tiny_model)], "select is not an option of"),
    ):
        assert main([*words, *more]) == 2
        (line,) = (text for text in capsys.readouterr().err.splitlines() if "error" in text)
        assert says in line, line
