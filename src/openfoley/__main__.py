"""`python -m openfoley`: the command `openfoley`."""

import sys

from openfoley.cli import main

sys.exit(main())
