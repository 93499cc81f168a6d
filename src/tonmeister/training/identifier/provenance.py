"""Under which licence a source of sounds may be used, as far as it says so itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["licence_of"]

_KNOWN: Final = {
    "FluidR3_GM": "MIT (Frank Wen and others; Debian fluid-soundfont)",
    "FluidR3_GS": "MIT (Frank Wen and others; Debian fluid-soundfont)",
    "MuseScore_General_Full": "MIT (S. Christian Collins and others; Debian musescore-general-soundfont)",
    "MuseScore_General": "MIT (S. Christian Collins and others; Debian musescore-general-soundfont)",
    "TimGM6mb": "GPL-2 (Tim Brechbill; Debian timgm6mb-soundfont)",
    "sf_GMbank": "LGPL-2.1+ (Debian csound-soundfont)",
    "sonivox": "Apache-2.0 (Sonic Network; npm @coderline/alphatab)",
    "ElectricEmpireKit": "GPL-2+, all rights granted by its maker (Artemiy Pavlov; Debian hydrogen-drumkits)",
    "HardElectro1": "GPL-2+, all rights granted by its maker (Artemiy Pavlov; Debian hydrogen-drumkits)",
    "VariBreaks": "GPL-2+, all rights granted by its maker (Artemiy Pavlov; Debian hydrogen-drumkits)",
    "rumpf_kit_z01_h2": "CC BY 3.0 (Emanuel Rumpf; Debian hydrogen-drumkits)",
    "Audiophob": "CC0 (soundcloud.com/audiophobdubstep; Debian hydrogen-drumkits)",
    "BJA_Pacific": "CC BY-SA 3.0 US (Bransin James Anderson, Luc Tunguay; Debian hydrogen-drumkits)",
    "Gimme A Hand 1.0": "GPL-2 (Glen MacArthur; Debian hydrogen-drumkits)",
    "circAfrique v4": "CC BY-SA 3.0 (Jim Harney; Debian hydrogen-drumkits)",
}
"""By the name of the file or folder, from the copyright files of the packages."""
_LINE: Final = re.compile(r"^\s*licen[cs]e\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
_MAX_TEXT: Final = 20_000


def licence_of(path: Path) -> str:
    """Known by name, or the line ``licence: ...`` of the folder's SOURCE.txt, or "not stated"."""
    if known := _KNOWN.get(path.stem) or _KNOWN.get(path.name):
        return known
    source = path / "SOURCE.txt"
    if source.is_file():
        found = _LINE.search(source.read_text("utf-8", errors="replace")[:_MAX_TEXT])
        if found:
            return found.group(1).strip()
    return "not stated"
