"""The golden journeys as data: a folder of tests/journeys becomes a Story; nothing in it may be unknown or unused.

Comes in: story.yaml and expected.yaml of a folder, and world.yaml. Goes out: frozen structs, with every name made
into the ids of the exchange. Must never hold what happens: that is the rules', or the real exchange's.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
import yaml
from msgspec import Struct

from api.submitting import merge
from infra.places import places
from referrals import ids
from referrals.directory import Service

FOLDER = Path(__file__).parents[2] / "journeys"
FILES = {"story.yaml", "expected.yaml"}
KM_PER_DEGREE = 111.2
Facts = list[dict[str, dict[str, Any]]]


class _Read(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is read from YAML: a field nobody knows is an error."""


class Step(_Read, frozen=True, kw_only=True):
    """Who says what through which door: `after` is the time since the step before, as 90m, 2h or 3d."""

    step: int
    says: str
    who: str
    door: str
    does: str
    referral: str = "R-1"
    after: str = "1m"
    content: dict[str, Any] = msgspec.field(default_factory=dict, name="with")


class Told(_Read, frozen=True, kw_only=True):
    """The story.yaml of a folder; `begins` is the clock of the run in memory."""

    title: str
    story: str
    begins: datetime
    steps: list[Step]


class Sight(_Read, frozen=True, kw_only=True):
    """What one party sees of a referral after a step: some fields of it, or null when it does not exist for them."""

    after: int
    who: str
    referral: str
    sees: dict[str, Any] | None


class Expected(_Read, frozen=True, kw_only=True):
    """The expected.yaml of a folder: facts per referral and step, in order; refused steps; what each party sees."""

    facts: dict[str, dict[int, Facts]]
    ends: dict[str, str]
    sees: list[Sight]
    refused: list[int] = []


class Offer(_Read, frozen=True, kw_only=True):
    """One service of world.yaml: so far from where the person lives, helping in that ZIP alone."""

    organization: str
    kilometres: float
    domains: list[str]
    more: dict[str, Any] = {}


class Stage(_Read, frozen=True, kw_only=True):
    """The world.yaml: who takes part, what is offered, and what every submission says unless a story says else."""

    county: str
    organizations: dict[str, str]
    services: list[Offer]
    submission: dict[str, Any]


class Story(Struct, frozen=True):
    """One journey: its folder's name, what happens, what must come of it. Every story has a ZIP of its own."""

    name: str
    told: Told
    expected: Expected
    stage: Stage

    @property
    def postal_code(self) -> str:
        """Where its people live: nobody else's services and load disturb it."""
        codes = sorted(z for z, place in places().items() if place.county == self.stage.county)
        return codes[int(self.name.partition("_")[0])]

    def sender_referral_id(self, name: str) -> str:
        """The id under which the sender knows a referral of the story; `R-1#food-insecurity` keeps its need."""
        own, mark, need = name.partition("#")
        return f"{self.name}:{own}{mark}{need}"

    @property
    def person_id(self) -> str:
        """Who the story is about, as its sender knows them, unless it says else."""
        return f"{self.name}:person"

    def own(self, id: str) -> str:
        """An id of the world outside that is this story's alone."""
        return f"{self.name}:{id}"

    def referral(self, name: str) -> UUID:
        """The referral's id on the exchange: of whoever submitted it."""
        own = name.partition("#")[0]
        sender = next(s.who for s in self.told.steps if s.referral == own and s.does == "submit")
        return ids.referral_id(sender, self.sender_referral_id(name))

    def service(self, organization: str) -> str:
        """The id of an organization's service in this story."""
        return str(uuid5(NAMESPACE_URL, f"urn:refex:journeys:{self.name}:{organization}"))

    def services(self) -> list[Service]:
        """What is offered where the people of this story live."""
        home = places()[self.postal_code]
        return [
            msgspec.convert(
                {
                    "id": self.service(offer.organization),
                    "organization": offer.organization,
                    "name": f"{offer.organization.replace('-', ' ').title()} in {self.postal_code}",
                    "domains": offer.domains,
                    "postal_codes": [self.postal_code],
                    "latitude": home.latitude + offer.kilometres / KM_PER_DEGREE,
                    "longitude": home.longitude,
                }
                | offer.more,
                Service,
            )
            for offer in self.stage.services
        ]

    def submission(self, step: Step) -> dict[str, Any]:
        """The whole body of a submit step: what every submission says, then what this one does."""
        area = {"postal_code": self.postal_code, "county": self.stage.county, "state": "CA"}
        own = {
            "sender_referral_id": self.sender_referral_id(step.referral),
            "person": {"person_id": self.person_id, "address": area},
        }
        body: dict[str, Any] = merge(merge(self.stage.submission, own), step.content)
        member_id = (body.get("coverage") or {}).get("member_id")
        if member_id:
            body["coverage"] = body["coverage"] | {"member_id": self.own(member_id)}
        return body

    def names(self) -> Mapping[str, str | int]:
        """Every id a fact may hold -> the name a reader knows it by; a hop is known by its number."""
        found: dict[str, str | int] = {
            self.service(o.organization): o.organization for o in self.stage.services
        }
        for name in self.expected.facts:
            referral = self.referral(name)
            found[str(referral)] = name
            found[self.sender_referral_id(name)] = name
            found[self.sender_referral_id(name.partition("#")[0])] = name.partition("#")[0]
            found |= {str(ids.hop_id(referral, number)): number for number in range(1, 10)}
        return found


@cache
def stage() -> Stage:
    """The world all stories share."""
    return msgspec.convert(_yaml(FOLDER / "world.yaml"), Stage)


@cache
def stories() -> tuple[Story, ...]:
    """Every story, in the order of the folders' numbers. Raises ValueError for what is unknown or unused."""
    return tuple(read(folder) for folder in sorted(p for p in FOLDER.iterdir() if p.is_dir()))


def read(folder: Path) -> Story:
    """One story. Raises ValueError for a file, a field, a referral or a party that does not belong."""
    if {p.name for p in folder.iterdir()} != FILES:
        raise ValueError(f"{folder.name}: a story is {' and '.join(sorted(FILES))}, no more and no less")
    told = msgspec.convert(_yaml(folder / "story.yaml"), Told)
    expected = msgspec.convert(_yaml(folder / "expected.yaml"), Expected)
    story = Story(folder.name, told, expected, stage())
    if wrong := _unused(story):
        raise ValueError(f"{folder.name}: {'; '.join(wrong)}")
    return story


def _unused(story: Story) -> list[str]:
    """What the expectations name that the story does not have, and the reverse."""
    told, expected = story.told, story.expected
    numbers = [s.step for s in told.steps]
    submitted = {s.referral for s in told.steps if s.does == "submit"}
    known = {name.partition("#")[0] for name in expected.facts}
    expecting = {n for steps in expected.facts.values() for n in steps}
    about = {s.referral for s in expected.sees} | set(expected.ends)
    parties = {s.who for s in expected.sees} | {s.who for s in told.steps if s.who != "clock"}
    checks = {
        "steps are numbered 1, 2, 3, ...": numbers == list(range(1, len(numbers) + 1)),
        "facts are expected of every referral submitted, and of no other": known == submitted,
        "facts are expected after steps of the story": expecting <= set(numbers),
        "refused names steps of the story": set(expected.refused) <= set(numbers),
        "what is seen is seen after steps of the story": {s.after for s in expected.sees} <= set(numbers),
        "every referral has an end, and somebody sees it": about == set(expected.facts) == set(expected.ends),
        "every party is in world.yaml": parties <= set(story.stage.organizations),
    }
    return [rule for rule, holds in checks.items() if not holds]


class _Plain(yaml.SafeLoader):
    """YAML whose dates stay the texts that bodies hold."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), _Plain)  # noqa: S506 - a SafeLoader
