"""The engine ``expert``: an engineer's knowledge as a Bayesian network, written by hand, learned, or both.

`production.toml` holds the knowledge with its sources; the modules compile it to tables, query these exactly and turn
posteriors into decisions. After Ren, Bocko, Lundberg, Headlam & Bocko, AES 129 (2010).
"""
