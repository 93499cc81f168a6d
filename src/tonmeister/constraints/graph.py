"""The order in which variables are computed: after all they depend on, circles together."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ranked"]


def ranked(dependents: Sequence[Sequence[int]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """(rank of every node, members of its circle or ()) of the graph node -> nodes that depend on it.

    Tarjan's strongly connected components, without recursion; they come out after all that depends on them, so the
    rank counts them backwards.
    """
    count = len(dependents)
    index, low = [-1] * count, [0] * count
    on_stack = [False] * count
    stack: list[int] = []
    component_of = [-1] * count
    components: list[tuple[int, ...]] = []
    clock = 0
    for start in range(count):
        if index[start] >= 0:
            continue
        work = [(start, 0)]
        while work:
            node, at = work.pop()
            if at == 0:
                index[node] = low[node] = clock
                clock += 1
                stack.append(node)
                on_stack[node] = True
            for position in range(at, len(dependents[node])):
                after = dependents[node][position]
                if index[after] < 0:
                    work += [(node, position + 1), (after, 0)]
                    break
                if on_stack[after]:
                    low[node] = min(low[node], index[after])
            else:
                if low[node] == index[node]:
                    members = _popped(stack, on_stack, node)
                    for member in members:
                        component_of[member] = len(components)
                    components.append(members)
                if work:
                    before = work[-1][0]
                    low[before] = min(low[before], low[node])
    ranks = [len(components) - component_of[node] for node in range(count)]
    circles = [
        components[component_of[node]]
        if len(components[component_of[node]]) > 1 or node in dependents[node]
        else ()
        for node in range(count)
    ]
    return ranks, circles


def _popped(stack: list[int], on_stack: list[bool], node: int) -> tuple[int, ...]:
    members = []
    while True:
        member = stack.pop()
        on_stack[member] = False
        members.append(member)
        if member == node:
            return tuple(sorted(members))
