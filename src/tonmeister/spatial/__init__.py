"""Stereo strips placed into loudspeaker layouts: the console stays stereo, and this is what comes behind it."""
