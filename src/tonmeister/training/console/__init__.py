"""A console predictor learns: songs with known consoles, spoiled in known ways; a set network; its card."""
