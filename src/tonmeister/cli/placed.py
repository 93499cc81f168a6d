"""Rendering into a layout, as ``mix`` and ``render`` share it: plain stereo goes the plain way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tonmeister.finish import Finished
    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan
    from tonmeister.spatial.checks import LayoutChecks
    from tonmeister.targets import Target

__all__ = ["check_placed", "finish_placed"]


def _plain(placing: Mapping[str, Any]) -> bool:
    return (placing["layout"], placing["form"]) == ("stereo", "wav")


def check_placed(output: Path, placing: Mapping[str, Any], *, overwrite: bool, subtype: str | None) -> None:
    """Refuse an output that cannot hold the layout, before any work is done."""
    if not _plain(placing):
        from tonmeister.spatial.finishing import check_layout_output
        from tonmeister.spatial.rendering import Placing

        check_layout_output(output, Placing(**placing), overwrite=overwrite, subtype=subtype)


def finish_placed(
    placing: Mapping[str, Any],
    multitrack: Multitrack,
    plan: MixPlan,
    output: Path,
    *,
    target: Target | None,
    **how: Any,
) -> tuple[Finished, LayoutChecks | None]:
    """Render into a layout, and to a target unless that is None; places that nobody decided come from the table."""
    from tonmeister import finish

    if _plain(placing):
        if target is None:
            return finish.render_to_file(multitrack, plan, output, **how), None
        return finish.finish(multitrack, plan, output, target=target, **how), None
    from tonmeister.spatial.finishing import finish_in_layout, render_in_layout
    from tonmeister.spatial.places import with_places
    from tonmeister.spatial.rendering import Placing

    placed = with_places(plan)
    if target is None:
        return render_in_layout(multitrack, placed, output, Placing(**placing), **how)
    return finish_in_layout(multitrack, placed, output, Placing(**placing), target=target, **how)
