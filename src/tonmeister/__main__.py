"""``python -m tonmeister`` is the command ``tonmeister``."""

from __future__ import annotations

from tonmeister.cli import main

if __name__ == "__main__":
    main()
