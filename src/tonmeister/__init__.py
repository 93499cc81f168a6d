"""tonmeister."""
