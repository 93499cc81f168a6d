"""Training the LSTM: half-second pieces, truncated back-propagation, error-to-signal ratio with pre-emphasis."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tonmeister.effects.networks import LstmNetwork
from tonmeister.learned_effects.fit import Progress
from tonmeister.learned_effects.learn import Course
from tonmeister.training.effects.learning import Best, Budget, NetworkOptions, Sounds
from tonmeister.training.effects.lstm import build_lstm, lstm_loss
from tonmeister.training.torch_library import best_device, torch_module

__all__ = ["train_lstm"]

STEPS: Final = 1200
WARM_UP: Final = 1000
TRUNCATED: Final = 2048
PIECES: Final = 16
RATE: Final = 5e-3
JUDGE_EVERY: Final = 20
PATIENCE: Final = 20
_SECONDS: Final = 0.5


def train_lstm(
    sounds: Sounds, options: NetworkOptions, seed: int, progress: Progress | None
) -> tuple[LstmNetwork, Course]:
    """The trained network at level 1, and how it went."""
    torch, where = torch_module(), best_device()
    budget, best, interrupted = Budget(options.steps or STEPS, options.minutes, progress), Best(), False
    net = build_lstm(seed).to(where)
    random = np.random.default_rng([seed, 2])
    judged = _pieces(torch, where, sounds.judged, random, 8)
    try:
        _main(torch, net, where, sounds, judged, random, budget, best)
    except KeyboardInterrupt:
        if best.weights is None:
            raise
        interrupted = True
    assert best.weights is not None
    weights = {_renamed(k): v.cpu().numpy().astype(np.float32) for k, v in best.weights.items()}
    recipe = {"valid_loss": round(best.loss, 6)}
    return LstmNetwork(weights, 44100), Course(budget.taken, interrupted, recipe)


def _renamed(name: str) -> str:
    return name.removeprefix("units.").removesuffix("_l0")


def _main(
    torch: Any, net: Any, where: Any, sounds: Sounds, judged: Any, random: Any, budget: Budget, best: Best
) -> None:
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    best.offer(_loss(torch, net, judged), net)
    while budget.done < 1.0 and best.stale < PATIENCE:
        dry, wet = _pieces(torch, where, sounds.learned, random, PIECES)
        with torch.no_grad():
            _, state = net(dry[:, :WARM_UP])
        for begin in range(WARM_UP, dry.shape[1] - TRUNCATED + 1, TRUNCATED):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (0.02 + 0.49 * (1.0 + np.cos(np.pi * budget.done)))
            part = slice(begin, begin + TRUNCATED)
            made, state = net(dry[:, part], tuple(s.detach() for s in state))
            loss = lstm_loss(made, wet[:, part])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            budget.step()
            if budget.taken % JUDGE_EVERY == 0:
                best.offer(_loss(torch, net, judged), net)
            if budget.done >= 1.0:
                break
    best.offer(_loss(torch, net, judged), net)


def _pieces(torch: Any, where: Any, pieces: Any, random: Any, count: int) -> tuple[Any, Any]:
    """Random stretches (count, frames), longer sounds more often; short sounds begin in silence."""
    frames = WARM_UP + TRUNCATED * max(round(_SECONDS * 44100 / TRUNCATED) - 1, 1)
    sizes = np.array([len(dry) for dry, _ in pieces], float)
    rows = []
    for number in random.choice(len(pieces), count, p=sizes / sizes.sum()):
        dry, wet = (np.pad(a, (max(frames - len(a), 0), 0)) for a in pieces[number])
        at = int(random.integers(0, len(dry) - frames + 1))
        rows.append((dry[at : at + frames], wet[at : at + frames]))
    first, second = (torch.from_numpy(np.stack([r[i] for r in rows])).to(where) for i in (0, 1))
    return first, second


def _loss(torch: Any, net: Any, judged: Any) -> float:
    dry, wet = judged
    with torch.no_grad():
        made, _ = net(dry)
    return float(lstm_loss(made[:, WARM_UP:], wet[:, WARM_UP:]))
