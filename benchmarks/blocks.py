"""Render a plan to nowhere in blocks of a given size: for the sweep over block sizes.

python benchmarks/blocks.py FOLDER PLAN.json BLOCK_FRAMES THREADS
"""

from __future__ import annotations

import sys
from pathlib import Path

from tonmeister.loading import load_multitrack
from tonmeister.plan_file import load_plan
from tonmeister.render import render_blocks

if __name__ == "__main__":
    song, plan = load_multitrack(Path(sys.argv[1])), load_plan(Path(sys.argv[2]))
    for _ in render_blocks(song, plan, block_frames=int(sys.argv[3]), threads=int(sys.argv[4])):
        pass
