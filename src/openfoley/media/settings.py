"""What may be asked of a file, for the request and for the media code alike; without any heavy import."""

import errno
from typing import Literal

AudioMode = Literal["add", "replace"]  # of the file's own sound: kept beside the new one, or left out
BitDepth = Literal["16", "24", "32f"]
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # of an OSError
LONGEST_SILENT_S = 3600.0  # of the sound for a still image, or from text alone
