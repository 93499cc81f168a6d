"""Engine ``semantic``: rules as RIF documents, chosen by what the system can do, kept true by constraints.

`engine` decides; `capabilities` finds out which rules apply; `compiling` turns them into constraints.
"""
