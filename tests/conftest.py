"""Tests find their makers beside themselves, and see tables on a terminal of one width."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ["COLUMNS"] = "140"
