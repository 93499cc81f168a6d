"""The network as a picture: an SVG, layer under layer, drawn here so that nothing needs to be installed.

A node's layer is its longest path from a root; within a layer nodes stand near the middle of their neighbors above
(barycenter order, swept down and up a few times). Kinds are told apart by outline and by a word, not by color alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from tonmeister.engines.expert.network import Network

__all__ = ["picture"]

_WIDTH: Final = 132
_HEIGHT: Final = 40
_GAP: Final = 16
_RISE: Final = 96
_SWEEPS: Final = 8
_STYLES: Final[Mapping[str, tuple[str, str]]] = {
    "given": ("#eef2f5", ""), "score": ("#e3eefb", ""), "sound": ("#e8f4e6", ""), "hidden": ("#fff3d9", "6 3"),
    "decision": ("#fbe5dc", ""), "before": ("#f2f2f2", "2 3"),
}  # fmt: skip
"""Kind -> fill, dash of the outline."""


def picture(network: Network) -> str:
    """The network as an ``<svg>`` document, with a title and a text for each node."""
    layers = _ordered(network, _layers(network))
    widest = max(len(layer) for layer in layers)
    width, height = widest * (_WIDTH + _GAP) + _GAP, len(layers) * _RISE + 40
    spots = {
        name: (_x(index, len(layer), width), 20 + depth * _RISE)
        for depth, layer in enumerate(layers)
        for index, name in enumerate(layer)
    }
    arcs = [_arc(spots[p], spots[c]) for p, c in network.arcs]
    boxes = [_box(network, name, *spots[name]) for name in network.nodes]
    title = escape(f"Bayesian network {network.name}: {len(network.nodes)} nodes, {len(network.arcs)} arcs")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11"><title>{title}</title>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
    )
    return head + "".join([*arcs, *boxes]) + "</svg>\n"


def _layers(network: Network) -> list[list[str]]:
    depth: dict[str, int] = {}
    for name in network.order:
        depth[name] = max((depth[p] + 1 for p in network.tables[name].parents), default=0)
    for name in reversed(network.order):  # roots move down to just above their first child
        below = [depth[c] for p, c in network.arcs if p == name]
        if below and not network.tables[name].parents:
            depth[name] = min(below) - 1
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in network.nodes:
        layers[depth[name]].append(name)
    return layers


def _ordered(network: Network, layers: list[list[str]]) -> list[list[str]]:
    beside: dict[str, list[str]] = {n: [] for n in network.nodes}
    for parent, child in network.arcs:
        beside[parent].append(child)
        beside[child].append(parent)
    for sweep in range(_SWEEPS):
        place = {n: (i + 0.5) / len(layer) for layer in layers for i, n in enumerate(layer)}
        chosen = layers if sweep % 2 == 0 else layers[::-1]
        for layer in chosen:
            middle = {
                n: sum(place[m] for m in beside[n]) / len(beside[n]) if beside[n] else place[n] for n in layer
            }
            layer.sort(key=lambda n: middle[n])
            place |= {n: (i + 0.5) / len(layer) for i, n in enumerate(layer)}
    return layers


def _x(index: int, count: int, width: float) -> float:
    """Left edge of a box; the layer is centered."""
    return (width - count * (_WIDTH + _GAP) + _GAP) / 2.0 + index * (_WIDTH + _GAP)


def _arc(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + _WIDTH / 2.0, start[1] + _HEIGHT
    x2, y2 = end[0] + _WIDTH / 2.0, float(end[1])
    bend = max((y2 - y1) / 2.0, 20.0)
    return (
        f'<path d="M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}" fill="none" '
        'stroke="#555" stroke-opacity="0.55" marker-end="url(#tip)"/>'
    )


def _box(network: Network, name: str, x: float, y: float) -> str:
    node = network.nodes[name]
    fill, dash = _STYLES[node.kind]
    states = escape(", ".join(node.states))
    return (
        f"<g><title>{escape(name)}: {states}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
        f'fill="{fill}" stroke="#333" stroke-dasharray="{dash}"/>'
        f'<text x="{x + _WIDTH / 2:.1f}" y="{y + 17:.1f}" text-anchor="middle" font-weight="bold">{escape(name)}</text>'
        f'<text x="{x + _WIDTH / 2:.1f}" y="{y + 31:.1f}" text-anchor="middle" fill="#444">{node.kind}, '
        f"{len(node.states)} states</text></g>"
    )
