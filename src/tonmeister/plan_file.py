"""Plans as JSON: versioned, finite numbers only, bounded in size, published as a JSON Schema.

``plan.schema.json`` beside this module describes the format; `load_plan` accepts nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from tonmeister import decisions as moves
from tonmeister.decisions import Decision, Reason
from tonmeister.effects.base import Effect, effect_from_dict, effect_to_dict
from tonmeister.errors import BadInputError, OutputError, PlanError, TonmeisterError, nearest
from tonmeister.plan import SCHEMA_VERSION, LoggedDecision, MixPlan, TrackRecord
from tonmeister.strip import Curve, Insert, Place, Send, Strip

__all__ = ["load_plan", "plan_from_dict", "plan_schema", "plan_to_dict", "plan_to_json", "save_plan"]

T = TypeVar("T")
_MAX_BYTES: Final = 64 * 2**20
_DECISIONS: Final[Mapping[str, type[Decision]]] = {
    cls.__name__: cls
    for cls in (
        moves.SetGain, moves.SetPan, moves.SetPlace, moves.AddInsert, moves.AddSend, moves.AddBus, moves.SetOutput,
        moves.Automate, moves.Mute, moves.SetDelay, moves.SetPolarity, moves.Lock,
    )
}  # fmt: skip


def plan_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of plan files."""
    return cast(
        dict[str, Any], json.loads(files("tonmeister").joinpath("plan.schema.json").read_text("utf-8"))
    )


def plan_to_dict(plan: MixPlan) -> dict[str, Any]:
    """Plain data, in the order a reader wants it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "title": plan.title,
        "sample_rate": plan.sample_rate,
        "engine": plan.engine,
        "options": dict(plan.options),
        "seed": plan.seed,
        "target_lufs": plan.target_lufs,
        "ceiling_dbtp": plan.ceiling_dbtp,
        "pan_law": plan.pan_law,
        "tracks": [dataclasses.asdict(t) for t in plan.tracks],
        "strips": [_strip_to_dict(s) for s in plan.strips],
        "decisions": [_logged_to_dict(entry) for entry in plan.log],
        "before": dict(plan.before),
        "after": dict(plan.after),
        "notes": list(plan.notes),
    }


def plan_to_json(plan: MixPlan) -> str:
    """The text of a plan file."""
    return json.dumps(plan_to_dict(plan), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def save_plan(plan: MixPlan, path: Path, *, overwrite: bool = False) -> None:
    """Write a plan; the file appears under its name only when complete."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise BadInputError(f"{path}: exists already: give another name or --overwrite")
    partial = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        partial.write_text(plan_to_json(plan), "utf-8")
        os.replace(partial, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{path}: the plan could not be written ({reason}): write elsewhere") from None
    finally:
        partial.unlink(missing_ok=True)


def load_plan(path: Path) -> MixPlan:
    """Read and check a plan file; raises `PlanError` in one line for anything that is not one."""
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PlanError(f"{path}: larger than {_MAX_BYTES >> 20} MiB: this is not a plan")
        data = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
        return plan_from_dict(data)
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise PlanError(f"{path}: is not JSON ({error}): give a plan that tonmeister wrote") from None
    except TonmeisterError as error:
        raise PlanError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def _refuse_constant(word: str) -> float:
    raise PlanError(f"{word} is not a number a plan may hold")


def plan_from_dict(data: Any) -> MixPlan:
    """The inverse of `plan_to_dict`."""
    data = _mapping(data, "a plan")
    version = data.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise PlanError("schema_version is missing: this is not a tonmeister plan")
    if version > SCHEMA_VERSION:
        raise PlanError(
            f"schema_version={version} is newer than this tonmeister reads ({SCHEMA_VERSION}): update tonmeister"
        )
    fields = {k: v for k, v in data.items() if k not in ("schema_version", "decisions")}
    _known(fields, MixPlan, "the plan", less=("log",))
    fields["tracks"] = tuple(_made(TrackRecord, t, "a track") for t in _list(data, "tracks"))
    fields["strips"] = tuple(_strip_from_dict(s) for s in _list(data, "strips"))
    fields["notes"] = tuple(str(n) for n in data.get("notes", ()))
    fields["log"] = tuple(_logged_from_dict(d) for d in data.get("decisions", ()))
    try:
        plan = MixPlan(**fields)
    except TypeError as error:
        raise PlanError(f"something is missing ({_plain(error)})") from None
    _check_header(plan)
    plan.check()
    return plan.adopted()


def _check_header(plan: MixPlan) -> None:
    if not isinstance(plan.sample_rate, int) or plan.sample_rate <= 0:
        raise PlanError(f"sample_rate={plan.sample_rate!r}: give a whole number of hertz")
    if not all(isinstance(m, Mapping) for m in (plan.options, plan.before, plan.after)):
        raise PlanError("options, before and after are objects")


def _strip_to_dict(strip: Strip) -> dict[str, Any]:
    data = {f.name: getattr(strip, f.name) for f in dataclasses.fields(strip) if f.name != "place"}
    if strip.place != Place():
        data["place"] = dataclasses.asdict(strip.place)
    data["inserts"] = [{"slot": i.slot, "effect": effect_to_dict(i.effect)} for i in strip.inserts]
    data["sends"] = [dataclasses.asdict(s) for s in strip.sends]
    data["automation"] = {name: _curve_to_dict(c) for name, c in strip.automation.items()}
    return data


def _strip_from_dict(data: Any) -> Strip:
    fields = dict(_mapping(data, "a strip"))
    fields["inserts"] = tuple(_insert_from_dict(i) for i in fields.get("inserts", ()))
    fields["sends"] = tuple(_made(Send, s, "a send") for s in fields.get("sends", ()))
    automation = _mapping(fields.get("automation", {}), "automation")
    fields["automation"] = {str(name): _curve_from_dict(c) for name, c in automation.items()}
    fields["place"] = _made(Place, fields.get("place", {}), "a place")
    return _made(Strip, fields, "a strip")


def _insert_from_dict(data: Any) -> Insert:
    data = _mapping(data, "an insert")
    return Insert(str(data.get("slot") or data["effect"]["kind"]), _effect(data.get("effect")))


def _effect(data: Any) -> Effect:
    try:
        return effect_from_dict(data)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise PlanError(f"an effect is malformed ({_plain(error)})") from None


def _curve_to_dict(curve: Curve) -> dict[str, list[float]]:
    return {"times_s": list(curve.times_s), "values": list(curve.values)}


def _curve_from_dict(data: Any) -> Curve:
    data = _mapping(data, "a curve")
    try:
        return Curve(tuple(map(float, data["times_s"])), tuple(map(float, data["values"])))
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(f"a curve needs times_s and values ({_plain(error)})") from None


def _logged_to_dict(entry: LoggedDecision) -> dict[str, Any]:
    decision = entry.decision
    data: dict[str, Any] = {"decision": type(decision).__name__}
    for field in dataclasses.fields(decision):
        data[field.name] = _decision_value_to_data(getattr(decision, field.name))
    return data | {"overruled": entry.overruled}


def _decision_value_to_data(value: Any) -> Any:
    if isinstance(value, Reason):
        return {**dataclasses.asdict(value), "notes": list(value.notes)}
    if isinstance(value, Curve):
        return _curve_to_dict(value)
    return effect_to_dict(value) if hasattr(value, "processor") else value


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "reason": lambda data: _reason(data),
    "curve": _curve_from_dict,
    "effect": lambda data: None if data is None else _effect(data),
}


def _reason(data: Any) -> Reason:
    fields = dict(_mapping(data, "a reason"))
    return _made(Reason, {**fields, "notes": tuple(fields.get("notes", ()))}, "a reason")


def _logged_from_dict(data: Any) -> LoggedDecision:
    data = dict(_mapping(data, "a decision"))
    name, overruled = data.pop("decision", None), str(data.pop("overruled", ""))
    if name not in _DECISIONS:
        raise PlanError(f"there is no decision {name!r}{nearest(str(name), list(_DECISIONS))}")
    fields = {key: _READERS[key](value) if key in _READERS else value for key, value in data.items()}
    return LoggedDecision(_made(_DECISIONS[name], fields, f"a {name}"), overruled)


def _mapping(data: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise PlanError(f"{what} should be an object, not {type(data).__name__}")
    return data


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(data.get(key), list):
        raise PlanError(f"{key!r} is missing or not a list: this is not a complete plan")
    return cast("list[Any]", data[key])


def _known(data: Mapping[str, Any], cls: type[Any], what: str, *, less: tuple[str, ...] = ()) -> None:
    names = [f.name for f in dataclasses.fields(cls) if f.name not in less]
    for key in data:
        if key not in names:
            raise PlanError(f"{what} has no field {key!r}{nearest(str(key), names)}")


def _made(cls: type[T], data: Any, what: str) -> T:
    """Make a dataclass from plain data, refusing unknown and missing fields and wrong types."""
    data = _mapping(data, what)
    _known(data, cls, what)
    try:
        made = cls(**data)
    except (TypeError, ValueError) as error:
        raise PlanError(f"{what} is malformed ({_plain(error)})") from None
    _check_types(made, what)
    return made


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "float": (int, float),
    "int": (int,),
    "bool": (bool,),
    "str | None": (str, type(None)),
}


def _check_types(made: Any, what: str) -> None:
    for field in dataclasses.fields(made):
        expected = _TYPES.get(str(field.type))
        value = getattr(made, field.name)
        if expected is not None and (
            not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected)
        ):
            raise PlanError(f"{what}: {field.name}={value!r} should be a {field.type}")


def _plain(error: Exception) -> str:
    """An exception's text without Python's own names around it."""
    return str(error).replace("__init__() ", "").replace("MixPlan.", "")
