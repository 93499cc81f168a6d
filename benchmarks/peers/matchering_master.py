"""Mastering only: matchering on a finished mix; runs in an environment of its own.

python matchering_master.py TARGET.wav REFERENCE.wav OUT.wav
"""

from __future__ import annotations

import sys

import matchering as mg

mg.process(target=sys.argv[1], reference=sys.argv[2], results=[mg.pcm24(sys.argv[3])])
