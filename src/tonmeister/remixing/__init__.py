"""Moving the parts of a finished recording: separated, decided, rendered like any other multitrack."""

from __future__ import annotations

from tonmeister.remixing.remix import Remix, remix

__all__ = ["Remix", "remix"]
