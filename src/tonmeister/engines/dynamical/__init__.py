"""Faders that move: gains as the hidden state of a linear dynamical system.

J. Scott, M. Prockup, E. M. Schmidt and Y. E. Kim, "Automatic multi-track mixing using linear dynamical systems",
SMC 2011.
"""
