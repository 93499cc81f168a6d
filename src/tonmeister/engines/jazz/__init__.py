"""The engine `jazz`: a network that hears the soloist decides its place and level; the blocks of the chain before it.

Mimilakis, Cano, Abesser & Schuller, WIMP (2016); Matz, Cano & Abesser, ISMIR (2015).
"""
