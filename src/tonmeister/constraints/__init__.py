"""A store in which constraints are kept true while features and parameters change.

Nothing in it knows about audio: owners have properties, constraints relate them, and a change of one value changes
what depends on it and nothing else.

>>> store = Store()
>>> store.define(Property("level"), Property("send"))
>>> store.owner("Voice", {"track"})
>>> store.add(Quantified((("?t", "track"),), Directed(Read("?t", "send"), Call("-", (Read("?t", "level"), Constant(6.0))))))
>>> store.set(("Voice", "level"), -3.0).values
{('Voice', 'level'): -3.0, ('Voice', 'send'): -9.0}
"""

from __future__ import annotations

from tonmeister.constraints.expressions import Call, Constant, Expression, Key, Read, Total, Value
from tonmeister.constraints.model import (
    Changes,
    Constraint,
    Directed,
    Equation,
    Inequality,
    Property,
    Quantified,
    Report,
)
from tonmeister.constraints.store import Store

__all__ = [
    "Call", "Changes", "Constant", "Constraint", "Directed", "Equation", "Expression", "Inequality", "Key", "Property",
    "Quantified", "Read", "Report", "Store", "Total", "Value",
]  # fmt: skip
