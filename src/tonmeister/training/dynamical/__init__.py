"""Learning how the gains of instruments follow the sound of all tracks, from songs and their finished mixes."""
