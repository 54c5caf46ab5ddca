"""PROVISIONAL: stands where media.source.Source will be, until the source that is opened once lands."""

import tempfile
from fractions import Fraction
from pathlib import Path

from openfoley.errors import UsageError
from openfoley.media.content_hash import file_hash
from openfoley.media.decode import probe
from openfoley.media.pictures import Pictures
from openfoley.media.scenes import cut_times
from openfoley.media.still import is_still, write_still_video
from openfoley.media.timecode import start_timecode
from openfoley.types import VideoInfo


class Source:
    """PROVISIONAL, until the opened-once Source of the reading side lands: what is seen."""

    def __init__(self, path, info, has_picture=True, keep=None):
        self.path, self.info, self.has_picture, self._keep = path, info, has_picture, keep
        self._pictures = None

    @classmethod
    def file(cls, path, strict=False):

        return cls(Path(path).absolute(), probe(Path(path).absolute()))

    @classmethod
    def nothing(cls, duration):

        if duration is None or not 0 < duration <= 3600:
            raise UsageError(f"without a video, duration must be above 0 and at most 3600 s, got {duration}")
        return cls(None, VideoInfo(None, Fraction(str(duration)), Fraction(0), 0, 0, 0, Fraction(25), None, 0), False)

    @classmethod
    def still(cls, path, duration):

        if not is_still(path):
            raise UsageError(
                "duration is for a still image or for text alone; the sound of a video is as long as it is"
            )
        if not 0 < duration <= 3600:
            raise UsageError(f"duration must be above 0 and at most 3600 s, got {float(duration):g}")
        folder = tempfile.TemporaryDirectory(prefix="openfoley-")
        moving = Path(folder.name) / f"{path.stem}.mp4"
        write_still_video(path, duration, moving)
        made = cls.file(moving)
        made._keep = folder
        return made

    @property
    def content_hash(self):

        return file_hash(self.path) if self.path else "nothing"

    @property
    def start_timecode(self):

        return start_timecode(self.path, self.info.frame_rate) if self.path and self.path.is_file() else None

    def cuts(self, requests=()):

        self._pictures = Pictures(self.path, requests)
        return cut_times(self.path, self._pictures)

    def chunks(self, requests):

        kept, self._pictures = self._pictures, None
        return (kept or Pictures(self.path, requests)).chunks()
