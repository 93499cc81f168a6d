"""Models that other people trained, opened from their files: looked at first, then built from a closed table.

A file never says which code is to run: its kind is seen from its contents, its network is one of the classes listed in
`kinds`, and of its weights only arrays are read. Nothing is downloaded.
"""
