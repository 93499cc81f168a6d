"""Teaching the engine `expert` from what engineers did: logs from many places, their events, the tables they make.

Everything here runs on NumPy; only learning the structure needs the extra `expert`.
"""
