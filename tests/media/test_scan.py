"""What a file promises against what it holds."""

from pathlib import Path

import av
import pytest

from openfoley.errors import MediaError
from openfoley.media.scan import probe


def remuxed(source: Path, out: Path, **tags: str) -> Path:
    """The picture in a Matroska file with these tags of its stream."""
    with av.open(str(source)) as read, av.open(str(out), "w") as container:
        picture = read.streams.video[0]
        copy = container.add_stream_from_template(picture)
        copy.metadata.update({name.replace("_", "-"): value for name, value in tags.items()})
        for packet in read.demux(picture):
            if packet.dts is not None:
                packet.stream = copy
                container.mux(packet)
    return out


def test_a_tag_of_before_a_cut_promises_nothing(make_video, tmp_path: Path) -> None:  # noqa: ANN001
    source = make_video("scan.mp4", duration_s=1.0)
    for number, tags in enumerate(({"DURATION_eng": "01:30:00.000000000"}, {"DURATION_eng": "yesterday:0:x"})):
        assert probe(remuxed(source, tmp_path / f"{number}.mkv", **tags)).duration == 1


def test_a_tag_that_stands_alone_is_believed(make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    from openfoley.media import scan

    source = make_video("scan.mp4", duration_s=1.0)
    monkeypatch.setattr(scan, "_clock", lambda _: 5400)
    with pytest.raises(MediaError, match="promises 5400.00 s"):
        probe(remuxed(source, tmp_path / "a.mkv"))
