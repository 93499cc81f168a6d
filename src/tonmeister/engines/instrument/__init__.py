"""Scott & Kim (2013): panning, levels and coarse equalization from what each track is."""
