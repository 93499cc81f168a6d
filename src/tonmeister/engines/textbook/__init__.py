"""The engine ``textbook``: rules from audio books on instrument tags and simple measurements.

`rules.toml` holds the knowledge with its sources; the modules match it against the tracks and turn what fires
into decisions. After De Man & Reiss, "A knowledge-engineered autonomous mixing system", AES 135 (2013).
"""
