"""From a folder of audio files to a multitrack: what is there, what it is, and what had to be repaired."""

from __future__ import annotations

from tonmeister.loading.config import CONFIG_NAME, FolderConfig, TrackSettings, read_config
from tonmeister.loading.load import load_files, load_multitrack

__all__ = ["CONFIG_NAME", "FolderConfig", "TrackSettings", "load_files", "load_multitrack", "read_config"]
