"""The contract of an engine, and where each engine lives.

An engine is a class made from one frozen dataclass of options. Its module is imported when it is asked for,
so listing the engines costs nothing. Third parties register under the entry-point group
``tonmeister.engines``.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast, runtime_checkable

from tonmeister.errors import BadInputError, MissingExtraError, nearest
from tonmeister.vocabulary import SWITCH_WORDS

if TYPE_CHECKING:
    from tonmeister.audio import Audio
    from tonmeister.decisions import Decision
    from tonmeister.features import MultitrackFeatures, TrackFeatures
    from tonmeister.multitrack import Multitrack
    from tonmeister.plan import MixPlan


class MixEngine(Protocol):
    """Decides; never renders, never reads audio.

    The class also has ``Options``, a frozen dataclass whose fields (bool, int, float, str, Literal) each
    carry ``metadata={"help": ...}``; the constructor takes one of them and a seed.
    """

    name: ClassVar[str]

    def decide(self, multitrack: Multitrack, features: MultitrackFeatures) -> Iterable[Decision]: ...


@runtime_checkable
class AttentiveEngine(Protocol):
    """An engine that works around what a person settled; others are simply overruled by it."""

    def decide_around(
        self, multitrack: Multitrack, features: MultitrackFeatures, settled: Sequence[Decision]
    ) -> Iterable[Decision]: ...


@runtime_checkable
class ReportingEngine(Protocol):
    """An engine that has more to tell than its decisions: what it left out, what it could not keep."""

    @property
    def notes(self) -> Sequence[str]: ...


@runtime_checkable
class FollowingEngine(Protocol):
    """An engine that builds on what the engines before it in a chain (``first+second``) decided."""

    def decide_after(
        self, multitrack: Multitrack, features: MultitrackFeatures, earlier: Iterable[Decision]
    ) -> Iterable[Decision]: ...


class Ear(Protocol):
    """What an engine may hear of the tracks; handed in from above, where files are opened."""

    def excerpt(self, track: str, duration_s: float) -> Audio:
        """The loudest part of a track, at most `duration_s` long, at the song's rate; empty when it is silent."""

    def measure(self, audio: Audio) -> TrackFeatures:
        """What `audio` measures, by the same means as the tracks were."""


@runtime_checkable
class ListeningEngine(Protocol):
    """An engine that wants to hear parts of the tracks, beyond what was measured of them."""

    def listen(self, ear: Ear) -> None:
        """Told before it decides; the ear stays good until then."""


def decide_with(
    engine: MixEngine,
    multitrack: Multitrack,
    features: MultitrackFeatures,
    settled: Sequence[Decision],
    earlier: Sequence[Decision] = (),
) -> Iterable[Decision]:
    """What `engine` decides; `settled` is what a person decided or locked before, `earlier` all that stands so far."""
    if isinstance(engine, FollowingEngine):
        return engine.decide_after(multitrack, features, earlier)
    if isinstance(engine, AttentiveEngine):
        return engine.decide_around(multitrack, features, settled)
    return engine.decide(multitrack, features)


@dataclass(frozen=True, slots=True)
class ScorePosition:
    """Where in the score the performance is, as a follower believes."""

    beat: float
    """Quarter notes from the beginning of the score."""
    sd_beats: float
    confidence: float
    """0 to 1; below 0.3 for a while nobody should rely on the position."""
    event: str = ""
    """The place of the score that was reached last, or will be at once: section and beat; '' before the first."""
    expected_s: float | None = None
    """When the place is expected, if it has not come yet: moves without a time of their own arrive with it."""


@dataclass(frozen=True, slots=True)
class LiveMove:
    """A decision with its time: the control is on its way `ramp_s` long and arrives at `at_s`.

    ``at_s=None`` means at once; a time that has passed is not caught up with, the move then begins now. The desk
    limits how fast a control moves, so a large move may take longer than its ramp.
    """

    decision: Decision
    at_s: float | None = None
    """Seconds of the performance, where the desk's first frame is 0."""
    ramp_s: float = 0.08


class Heard(Protocol):
    """What has been heard up to now, and nothing later."""

    @property
    def time_s(self) -> float:
        """Seconds of the performance at the end of what was heard."""

    @property
    def momentary_lufs(self) -> Mapping[str, float | None]:
        """Loudness of each track over the last 400 ms; None in silence."""

    @property
    def position(self) -> ScorePosition | None:
        """Where in the score we are; None without a score, or while the place in it is lost."""

    def recent(self, seconds: float) -> MultitrackFeatures:
        """Measurements over the last `seconds` (fewer at the beginning, or where less is remembered)."""


class CausalMixer(Protocol):
    """Mixes while the music plays; made anew for each performance, so it may remember."""

    def update(self, heard: Heard) -> Iterable[LiveMove]:
        """What to move now; called about ten times a second, in order of time.

        Decisions may be SetGain, SetPan, Mute and AddSend (to a bus the strip already feeds); a live desk takes no
        change of structure while it plays and says so.
        """


@runtime_checkable
class CorrectedMixer(Protocol):
    """A mixer that wants to know where a control stands when that is not where it had asked for."""

    def stands(self, decision: Decision) -> None:
        """The control of `decision` is, or is going, where the decision says.

        Told when a move was left out or made by half, and when a person lets go of a control.
        """


@runtime_checkable
class CausalEngine(Protocol):
    """An engine that can mix while the music plays, by its own means.

    Others that say ``causal`` in their `EngineInfo` are asked again and again about what was heard lately.
    """

    def start(self, multitrack: Multitrack, plan: MixPlan) -> CausalMixer:
        """Begin a performance: `multitrack` names the inputs (it has no audio), `plan` is how the desk stands."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """A line of the list of engines."""

    path: str
    options: str
    """Where the dataclass of options is: a light module, so that the list of engines costs nothing."""
    summary: str
    source: str
    needs: tuple[str, str] | None = None
    """(module, extra) without which the engine cannot work."""
    causal: bool = False
    """Whether its decisions make sense on what was heard so far, so that it can mix live."""


ENGINES: Final[Mapping[str, EngineInfo]] = {
    "textbook": EngineInfo(
        "tonmeister.engines.textbook.engine:TextbookEngine",
        "tonmeister.engines.textbook.options:TextbookOptions",
        "rules from audio books on instrument tags and simple measurements (default)",
        "De Man & Reiss, AES 135 (2013)",
        causal=True,
    ),
    "asp": EngineInfo(
        "tonmeister.engines.asp.engine:AspEngine",
        "tonmeister.engines.asp.options:AspOptions",
        "rules and preferences as a logic program; the best mix that obeys them, or several",
        "Everardo, SMC 2017",
        needs=("clingo", "asp"),
    ),
    "instrument": EngineInfo(
        "tonmeister.engines.instrument.engine:InstrumentEngine",
        "tonmeister.engines.instrument.options:InstrumentOptions",
        "what each track is says where it goes and how loud it is; the drums are mixed first",
        "Scott & Kim, ISMIR 2013",
    ),
    "semantic": EngineInfo(
        "tonmeister.engines.semantic.engine:SemanticEngine",
        "tonmeister.engines.semantic.options:SemanticOptions",
        "rules as documents that systems can share (RIF); only those this system can carry out",
        "Moffat, Thalmann & Sandler, WIMP (2018)",
        needs=("rdflib", "semantic"),
        causal=True,
    ),
    "expert": EngineInfo(
        "tonmeister.engines.expert.engine:ExpertEngine",
        "tonmeister.engines.expert.options:ExpertOptions",
        "an engineer's knowledge as a Bayesian network, by hand or learned; faders move from part to part",
        "Ren, Bocko et al., AES 129 (2010)",
        causal=True,
    ),
    "dynamical": EngineInfo(
        "tonmeister.engines.dynamical.engine:DynamicalEngine",
        "tonmeister.engines.dynamical.options:DynamicalOptions",
        "faders that move: a learned linear dynamical system; alone or around another engine's mix",
        "Scott, Prockup, Schmidt & Kim, SMC 2011",
        causal=True,
    ),
    "predict": EngineInfo(
        "tonmeister.engines.predict.engine:PredictEngine",
        "tonmeister.engines.predict.options:PredictOptions",
        "a set network that has seen many consoles says where the controls belong, and how sure it is",
        "Zaheer et al., NeurIPS 2017; Steinmetz et al., ICASSP 2021",
    ),
    "jazz": EngineInfo(
        "tonmeister.engines.jazz.engine:JazzEngine",
        "tonmeister.engines.jazz.options:JazzOptions",
        "a network hears the soloist and says where it stands and how loud; the rest stays where it is",
        "Mimilakis, Cano, Abesser & Schuller, WIMP (2016); Matz, Cano & Abesser, ISMIR 2015",
    ),
    "autoencoder": EngineInfo(
        "tonmeister.engines.autoencoder.engine:AutoencoderEngine",
        "tonmeister.engines.autoencoder.options:AutoencoderOptions",
        "learned stems: a network, or predicted features, make of raw bass, guitar, voice and keys what others became",
        "Martínez Ramírez & Reiss, WIMP 2017",
    ),
    "sum": EngineInfo(
        "tonmeister.engines.baselines:SumEngine",
        "tonmeister.engines.baseline_options:SumOptions",
        "every fader at unity, everything in the center",
        "baseline",
        causal=True,
    ),
    "loudness": EngineInfo(
        "tonmeister.engines.baselines:LoudnessEngine",
        "tonmeister.engines.baseline_options:LoudnessOptions",
        "every track equally loud, everything in the center",
        "baseline",
        causal=True,
    ),
    "adaptive": EngineInfo(
        "tonmeister.engines.adaptive.engine:AdaptiveEngine",
        "tonmeister.engines.adaptive.options:AdaptiveOptions",
        "faders and pans that follow low-level features over time",
        "Mansbridge, Finn & Reiss, AES 132 and 133 (2012); Giannoulis, Massberg & Reiss (2013)",
        causal=True,
    ),
}


def load_engine(name: str, options: Mapping[str, str] | None = None, *, seed: int = 0) -> MixEngine:
    """Make the engine `name` with its options given as text, for example ``{"profile": "faithful"}``."""
    cls = _loaded(_engine_path(name))
    return cast(MixEngine, cls(_parse_options(name, cls.Options, options or {}), seed=seed))


def decide_in_turn(
    names: Sequence[str],
    options: Mapping[str, Mapping[str, str]],
    multitrack: Multitrack,
    features: MultitrackFeatures,
    *,
    settled: Sequence[Decision] = (),
    seed: int = 0,
    ear: Ear | None = None,
) -> tuple[list[Decision], list[str]]:
    """What the engines `names` decide one after the other, each knowing those before it; and what they tell.

    `options` are per engine, as text; `settled` is what a person decided or locked before; `ear` is for engines that
    listen.
    """
    decisions: list[Decision] = []
    told: list[str] = []
    for name in names:
        engine = load_engine(name, options.get(name), seed=seed)
        if ear is not None and isinstance(engine, ListeningEngine):
            engine.listen(ear)
        decisions += decide_with(engine, multitrack, features, settled, tuple(decisions))
        told += engine.notes if isinstance(engine, ReportingEngine) else ()
    return decisions, told


def option_help(name: str) -> list[tuple[str, str, str]]:
    """(option, default, help) for each option of an engine."""
    path = ENGINES[name].options if name in ENGINES else None
    options = _loaded(path) if path else _loaded(_engine_path(name)).Options
    return [(f.name, str(f.default), f.metadata.get("help", "")) for f in dataclasses.fields(options)]


def unavailable(name: str) -> str:
    """Why a shipped engine cannot work here: the extra that is missing, or ''."""
    needs = ENGINES[name].needs if name in ENGINES else None
    if needs is None or importlib.util.find_spec(needs[0]) is not None:
        return ""
    return str(MissingExtraError(f"the engine {name!r}", extra=needs[1]))


def split_options(engines: Sequence[str], options: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Hand each option to the engines that have it; ``engine.option`` names one engine."""
    per_engine: dict[str, dict[str, str]] = {name: {} for name in engines}
    known = {name: [option for option, _, _ in option_help(name)] for name in engines}
    for key, value in options.items():
        engine, _, option = key.rpartition(".")
        takers = [name for name in engines if option in known[name] and engine in ("", name)]
        if not takers:
            every = [option for name in engines for option in known[name]]
            raise BadInputError(f"engine {'+'.join(engines)!r} has no option {key!r}{nearest(option, every)}")
        for name in takers:
            per_engine[name][option] = value
    return per_engine


def engine_module(name: str) -> str:
    """The module an engine lives in, not imported."""
    return _engine_path(name).partition(":")[0]


def _engine_path(name: str) -> str:
    path = ENGINES[name].path if name in ENGINES else _entry_points().get(name)
    if path is None:
        raise BadInputError(f"there is no engine {name!r}{nearest(name, list(ENGINES))}")
    return path


def _loaded(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {e.name: e.value for e in entry_points(group="tonmeister.engines")}


def _parse_options(engine: str, cls: type[Any], given: Mapping[str, str]) -> Any:
    hints = typing.get_type_hints(cls)
    for key in given:
        if key not in hints:
            raise BadInputError(f"engine {engine!r} has no option {key!r}{nearest(key, list(hints))}")
    return cls(**{key: _parse(key, text, hints[key]) for key, text in given.items()})


def _parse(key: str, text: str, hint: Any) -> Any:
    """Read an option's text as the type its field declares."""
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if text not in allowed:
            raise BadInputError(f"option {key}={text!r} is not known: give one of {', '.join(allowed)}")
        return text
    if hint is bool:
        if text.casefold() not in SWITCH_WORDS:
            raise BadInputError(f"option {key}={text!r} is a switch: give yes or no")
        return SWITCH_WORDS[text.casefold()]
    try:
        return hint(text)
    except ValueError:
        raise BadInputError(f"option {key}={text!r} should be a number") from None
