"""Learning what a device does to sound from a recording before and behind it; the effect `learned` plays it back.

Needs nothing beyond NumPy. See `learn.learn_effect`.
"""
