"""Files of trained models: a card, a checksum, and a network that only computes."""
