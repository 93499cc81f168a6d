"""A finished recording becomes a multitrack again: tracks and a residual that add up to the input."""
