"""Labelled multitracks made from MIDI, soundfonts and a small synthesizer: `songs.synthesize`, `songs.songs`.

Nothing is stored: a song is a function of its seed, its options and the files it is made from.
"""
