"""Synthesis of multitracks, and one recipe per model that ships; needs the extra `train`."""
