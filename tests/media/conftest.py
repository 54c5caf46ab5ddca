"""Let the tests of this folder import `numbered_videos` beside them; keep the AV1 encoder quiet."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("SVT_LOG", "0")
