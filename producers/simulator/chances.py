"""What simulated people decide, and after how long: tables of weights, drawn from a seed and the hop's id.

Must never draw from anything else, so that a hop's story is the same whenever it is told.
"""

from random import Random
from typing import Any

Answer = dict[str, Any]

REQUESTED = {"accept": 75, "reject": 18, "wait": 7}
ACCEPTED = {"start": 70, "contact": 12, "hold": 8, "wait": 10}
STARTED = {"complete": 62, "fail": 16, "record-service": 7, "wait": 15}
HELD = {"resume": 60, "wait": 40}
NEXT = {"requested": REQUESTED, "accepted": ACCEPTED, "in-progress": STARTED, "on-hold": HELD}

REJECT = {
    "no-capacity": 40,
    "outside-area": 20,
    "not-eligible": 20,
    "language": 8,
    "already-served": 7,
    "other": 5,
}
COMPLETE = {"service-provided": 60, "enrolled": 25, "information-given": 15}
RESOLVED = {"resolved": 65, "partly": 25, "unknown": 10}
FAIL = {"client-unreachable": 45, "client-declined": 25, "no-longer-needed": 15, "not-eligible": 15}
HOLD = {"waitlist": 60, "waiting-client": 25, "waiting-documents": 15}
# Seconds until the next step: from, to. Hurried ones fill the pages right after the start.
PAUSE = {
    "requested": (3.0, 25.0),
    "accepted": (5.0, 40.0),
    "in-progress": (10.0, 90.0),
    "on-hold": (30.0, 120.0),
}
HURRY = 0.08
WAIT_S = 600.0
"""How long one waits who decided to wait: longer than an audience looks."""


def pause(seed: int, hop: str, status: str, hurried: bool) -> float:
    """Seconds until the organization acts on a hop of this status."""
    rng = Random(f"{seed}:{hop}:{status}:pause")
    return rng.uniform(*PAUSE[status]) * (HURRY if hurried else 1.0)


def answer(seed: int, hop: str, status: str, steps: int) -> Answer | None:
    """What the organization answers to a hop of this status; None: it waits. `steps` it has taken before."""
    rng = Random(f"{seed}:{hop}:{status}:{steps}")
    action = _drawn(rng, NEXT[status])
    if steps > 2 and action in ("contact", "record-service"):
        action = "start" if status == "accepted" else "complete"
    return None if action == "wait" else {"action": action, "hop": hop} | _details(rng, action, hop, steps)


def _details(rng: Random, action: str, hop: str, steps: int) -> Answer:
    if action == "reject":
        reason = _drawn(rng, REJECT)
        return {"reason": reason} | ({"note": "We are moving offices."} if reason == "other" else {})
    if action == "complete":
        return {"outcome": {"code": _drawn(rng, COMPLETE), "need": _drawn(rng, RESOLVED)}}
    if action == "fail":
        return {"outcome": {"code": _drawn(rng, FAIL), "need": "unresolved"}}
    if action == "hold":
        held = {"reason": _drawn(rng, HOLD), "waitlist": {"position": rng.randrange(1, 20)}}
        return held | {"review_in_days": rng.randrange(3, 22)}
    if action == "contact":
        return {"method": rng.choice(("phone", "text", "visit")), "reached": rng.random() < 0.6}
    if action == "record-service":
        return {"service_event_id": f"{hop}-{steps}", "code": "visit", "units": 1}
    return {}


def _drawn(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
