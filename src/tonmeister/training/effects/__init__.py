"""Learned effects that are trained: the networks, their loops, made-up notes through made-up devices, and the figures."""
