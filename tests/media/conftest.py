"""Keep the encoders of the test files quiet."""

import os

os.environ.setdefault("SVT_LOG", "0")
