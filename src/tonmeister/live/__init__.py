"""A running performance at the desk: audio, control, score following and prediction."""
