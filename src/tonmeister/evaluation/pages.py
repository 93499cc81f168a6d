"""From results to pages: one list of sections for the terminal, the HTML report and the CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tonmeister.evaluation.alignment import AlignmentScore
from tonmeister.evaluation.balance import BASELINES, HUMAN_SPREAD_LU, BalanceScore
from tonmeister.evaluation.figures import Group
from tonmeister.evaluation.mix_metrics import MixEvaluation
from tonmeister.evaluation.remix import RemixEvaluation
from tonmeister.evaluation.report import Cell, Page, Section
from tonmeister.evaluation.separation import SeparationEvaluation
from tonmeister.evaluation.songs import Song
from tonmeister.evaluation.svg import Bars, Curve, Lines, Matrix

__all__ = ["alignment_page", "balance_page", "balance_to_dict", "mix_page", "remix_page", "separation_page"]

_ARROWS: Final = {"higher": "higher is better", "lower": "lower is better", "neutral": "neutral"}
Table = Mapping[str, Mapping[str, BalanceScore]]


def balance_to_dict(table: Table, songs: Sequence[Song]) -> dict[str, Any]:
    """Plain data for JSON: the pooled score of each engine, its songs within it."""
    engines = {}
    for name, scores in table.items():
        pooled = {k: v for k, v in scores["all"].to_dict().items() if k != "errors_lu"}
        per_song = {song: score.to_dict() for song, score in scores.items() if song != "all"}
        engines[name] = {
            **pooled,
            "baseline": name in BASELINES,
            "worst": worst_track(scores),
            "songs": per_song,
        }
    return {
        "engines": engines,
        "songs": {s.name: {"tracks": len(s.multitrack.tracks), "human_balance": s.kind} for s in songs},
        "human_spread_lu": HUMAN_SPREAD_LU,
        "interval": "95 % bootstrap over tracks",
    }


def worst_track(scores: Mapping[str, BalanceScore]) -> dict[str, Any] | None:
    """The track whose level is farthest from the human's."""
    errors = [
        (abs(e), song, name, e)
        for song, s in scores.items()
        if song != "all"
        for name, e in s.errors_lu.items()
    ]
    if not errors:
        return None
    _, song, name, error = max(errors)
    return {"song": song, "track": name, "error_lu": error}


def balance_page(table: Table, songs: Sequence[Song]) -> Page:
    """Every engine, baselines marked, best mean absolute error first."""
    order = sorted(table, key=lambda name: table[name]["all"].mae_lu)
    sections = [_balance_section(table, order)]
    if len(songs) > 1:
        sections.append(_song_section(table, order, songs))
    notes = (
        f"human against human (spread of level targets between engineers and songs): {HUMAN_SPREAD_LU} LU",
        *(f"{s.name}: {len(s.multitrack.tracks)} tracks, human balance from {s.kind}" for s in songs),
    )
    return Page("Balance against a human mix", tuple(sections), notes)


def _balance_section(table: Table, order: Sequence[str]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for name in order:
        s, worst = table[name]["all"], worst_track(table[name])
        said = f"{worst['track']} {worst['error_lu']:+.1f} LU ({worst['song']})" if worst else ""
        rows.append((_marked(name), s.mae_lu, s.interval_lu[0], s.interval_lu[1], s.rms_lu,
                     None if math.isnan(s.rank_correlation) else s.rank_correlation, s.pan_mae, s.tracks, said))  # fmt: skip
    columns = (
        "engine",
        "MAE LU",
        "95 % low",
        "95 % high",
        "RMS LU",
        "rank correlation",
        "pan error",
        "tracks",
        "worst",
    )
    pooled = [table[n]["all"] for n in order]
    plot = Bars(
        "Mean absolute error of the balance", "LU, lower is better; line: 95 % interval",
        tuple(map(_marked, order)), tuple(s.mae_lu for s in pooled), tuple(s.interval_lu for s in pooled),
    )  # fmt: skip
    text = (
        "Relative loudness of the tracks, engine minus human, mean removed per song. Lower is better, but for the "
        "rank correlation (1 is perfect). Intervals: bootstrap over tracks."
    )
    return Section("Balance", columns, tuple(rows), text, plot)


def _marked(name: str) -> str:
    return f"{name} (baseline)" if name in BASELINES else name


def _song_section(table: Table, order: Sequence[str], songs: Sequence[Song]) -> Section:
    rows: list[tuple[Cell, ...]] = [(_marked(n), *(table[n][s.name].mae_lu for s in songs)) for n in order]
    return Section("Mean absolute error per song, LU", ("engine", *(s.name for s in songs)), tuple(rows))


# --- one mix --------------------------------------------------------------------------------------


def mix_page(result: MixEvaluation) -> Page:
    """All groups of figures, with plots where a shape says more."""
    sections = [_group_section(group) for group in result.groups if group.key != "tonal_balance"]
    sections.insert(1, _platform_section(result))
    sections.insert(2, _tonal_section(result))
    if result.stereo:
        sections.insert(4, _stereo_section(result))
    if result.masking is not None:
        sections += _masking_sections(result)
    title = f"Mix: {Path(result.mix).name}"
    title += f" against {Path(result.reference).name}" if result.reference else ""
    return Page(title, tuple(sections), result.notes)


def _group_section(group: Group) -> Section:
    rows = tuple((f.name, f.value, f.unit, _ARROWS[f.better], f.note) for f in group.figures)
    return Section(group.title, ("figure", "value", "unit", "direction", "note"), rows, group.method)


def _platform_section(result: MixEvaluation) -> Section:
    rows = tuple(
        (p.name, p.target_lufs, p.gain_db, p.true_peak_dbtp, p.room_db, p.verdict, p.evidence)
        for p in result.platforms
    )
    columns = ("service", "target LUFS", "gain dB", "then dBTP", "room dB", "what happens", "evidence")
    text = "Evidence: v checked at the source, s second-hand, u unconfirmed."
    return Section("What services do to it", columns, rows, text)


def _tonal_section(result: MixEvaluation) -> Section:
    tonal = result.tonal
    labels = tuple(_hertz(hz) for hz in tonal.octave_hz)
    rows = tuple(
        (label, d, a, "" if d is None or abs(d) <= a else "outside")
        for label, d, a in zip(labels, tonal.deviation_db, tonal.tolerance_db, strict=True)
    )
    plot = Lines("Distance from the usual spectrum of a mix", "dB", labels, (Curve("mix", tonal.deviation_db),),
                 tuple((-a, a) for a in tonal.tolerance_db))  # fmt: skip
    text = "Octave levels against the target curve of finished mixes: a guide, single songs differ."
    return Section("Tonal balance", ("octave Hz", "deviation dB", "tolerance dB", ""), rows, text, plot)


def _hertz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"


def _stereo_section(result: MixEvaluation) -> Section:
    rows = tuple((b.band, b.side_share, b.correlation, b.imbalance, b.mono_change_db) for b in result.stereo)
    octaves = result.stereo[1:]
    plot = Lines("Level change when folded to mono", "dB", tuple(b.band.removesuffix(" Hz") for b in octaves),
                 (Curve("mono change", tuple(b.mono_change_db for b in octaves)),))  # fmt: skip
    text = "0 dB: nothing is lost in mono; -3 dB: independent channels; less: the channels cancel."
    columns = ("band", "side share", "correlation", "imbalance", "mono change dB")
    return Section("Stereo by frequency", columns, rows, text, plot)


def _masking_sections(result: MixEvaluation) -> list[Section]:
    assert result.masking is not None
    names = [r.name for r in result.masking.rows]
    rows: list[tuple[Cell, ...]] = []
    for r in result.masking.rows:
        by = ", ".join(f"{n} {100 * v:.0f} %" for n, v in list(r.hidden_by.items())[:3] if v >= 0.005)
        regions = [r.hidden_by_region.get(k) for k in ("low", "mid", "high")]
        rows.append((r.name, r.lufs, r.hidden, *regions, r.masker_to_signal_db, by))
    columns = ("track", "LUFS", "hidden", "low", "mid", "high", "masker/signal dB", "hidden most by")
    text = ("Share of each track's power below the masking threshold of all others, while it sounds; voices first. "
            "Lower is clearer; read it beside the levels.")  # fmt: skip
    values = tuple(tuple(r.hidden_by.get(n) for n in names) for r in result.masking.rows)
    plot = Matrix(
        "Who hides what: percent of the row's power hidden by the column", tuple(names), tuple(names), values
    )
    matrix = Section("Masking matrix", ("track", *names), tuple((n, *v) for n, v in zip(names, values, strict=True)),
                     "Share of the row's power that the column hides by itself.")  # fmt: skip
    return [Section("Masking", columns, tuple(rows), text, plot), matrix]


# --- separation and alignment ---------------------------------------------------------------------


def separation_page(result: SeparationEvaluation) -> Page:
    """Every stem."""
    rows = tuple(
        (name, s.sdr_db, s.si_sdr_db, s.bss_sdr_db, s.bss_isr_db, s.bss_sir_db, s.bss_sar_db, s.worst_bss_sdr_db,
         s.leak_db, f"{s.silent} is silent" if s.silent else "")
        for name, s in result.tracks.items()
    )  # fmt: skip
    columns = (
        "stem",
        "SDR dB",
        "SI-SDR dB",
        "BSS SDR",
        "BSS ISR",
        "BSS SIR",
        "BSS SAR",
        "worst second",
        "leak dB",
        "",
    )
    plot = Bars("Signal-to-distortion ratio", "dB, higher is better", tuple(result.tracks),
                tuple(s.sdr_db for s in result.tracks.values()))  # fmt: skip
    text = (
        "Higher is better, but for the leak into a silent stem. SDR and SI-SDR over the whole signal; BSS Eval "
        "version 4 images, filters of 512 taps, windows of 1 s, median; worst second: its lowest SDR."
    )
    null = Section("Null", ("against", "null dB"), ((result.null_against, result.null_db),),
                   "Energy of what remains when all estimates are taken away; lower is better.")  # fmt: skip
    return Page("Separation", (Section("Stems", columns, rows, text, plot), null), result.notes)


def remix_page(result: RemixEvaluation) -> Page:
    """Every track by every gain."""
    rows = tuple(
        (name, s.asked_db, s.achieved_db, s.sdr_db, s.expected_sdr_db, s.loudness_error_lu)
        for name, scores in result.tracks.items()
        for s in scores
    )
    columns = ("track", "asked dB", "achieved dB", "SDR dB", "expected SDR dB", "loudness error LU")
    text = (
        "The remix with the estimate against the remix with the true track. SDR: higher is better; expected: from the "
        "SDR of the separation alone. Achieved: how much the true track moved. Loudness error: 0 is best."
    )
    return Page("Remix", (Section("Faders", columns, rows, text),), result.notes)


def alignment_page(result: AlignmentScore) -> Page:
    """Timing error and rates."""
    rows: list[tuple[Cell, ...]] = [
        ("median error", result.median_ms, "ms", "lower is better"),
        ("mean error", result.mean_ms, "ms", "lower is better"),
        ("95 % of the events within", result.p95_ms, "ms", "lower is better"),
        ("largest error", result.max_ms, "ms", "lower is better"),
        ("bias (positive is late)", result.bias_ms, "ms", "0 is best"),
        *((f"within {limit:g} ms", share, "share of all events", "higher is better")
          for limit, share in result.within.items()),
        ("events", result.events, "", "neutral"),
        ("missing", result.missing, "", "lower is better"),
        ("without a reference", result.extra, "", "lower is better"),
    ]  # fmt: skip
    shares = Bars("Share of events within a limit", "share, higher is better",
                  tuple(f"{limit:g} ms" for limit in result.within), tuple(result.within.values()))  # fmt: skip
    text = "Estimated minus reference time. Missing events count as not within any limit."
    return Page(
        "Alignment", (Section("Timing", ("figure", "value", "unit", "direction"), tuple(rows), text, shares),)
    )
