"""Separators learned from songs whose parts are known: material, networks, the loop, recipes, export."""
