"""Two tenants of everything, made through the API and the real exchange batch: what the matrix asks for.

Comes in: a running Api. Goes out: a World: every object with who is what to it, and the canaries in it. `a` and `b` are
mirror images: what is one's own is foreign to the other.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from api.cursors import encode
from api.reading import Position
from referrals.ids import person_key
from stream_processors import linker
from tests.support.api import Api
from tests.support.matrix import canaries
from tests.support.matrix.canaries import Canaries
from tests.support.vault import vault

SIDES = {"a": ("clinic-a", "golden-health-plan", "food-a"), "b": ("clinic-b", "valley-care-plan", "food-b")}
HUB, OPERATOR, NETWORK = "hub", "operator", "network"
MISSING = "00000000-dead-4bad-8bad-0000deadbeef"
CONTRACTS = {"a": "golden-health-plan-2026", "b": "valley-care-plan-2026"}


class Thing(NamedTuple):
    """One object: its kind, its id, what each organization is to it, its newest hop, its sender's own id."""

    name: str
    kind: str
    id: str
    parties: dict[str, str]
    hop: str = MISSING
    own_id: str = ""


class World:
    """Everything there is, by name; `consents` are ids of the senders' own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.canaries = Canaries()
        self.things: dict[str, Thing] = {}
        self.cursors: dict[str, tuple[str, str]] = {}

    def of(self, kind: str) -> Iterator[Thing]:
        """Every object of a kind."""
        return (thing for thing in self.things.values() if thing.kind == kind)

    def add(self, thing: Thing) -> None:
        """Take note of an object."""
        self.things[thing.name] = thing

    async def make(self) -> None:
        """Referrals in every state that shows another face, and what is beside them."""
        async with self.api.owner() as owner:
            await owner.execute("update organization set webhook_url = 'https://example.org/' || id")
        for side in SIDES:
            await self._side(side)
        made = await self._submit("network-own", NETWORK, "cedar-health-plan", "food-a")
        self._referral(
            "network-own", made, {NETWORK: "sender", "cedar-health-plan": "payer", "food-a": "offered"}
        )
        await self._link()
        async with self.api.owner() as owner:
            rows = await owner.fetch("select id::text as id, tenant from service")
            staff = await owner.fetch(
                "select id::text as id, tenant from app_user where tenant like 'clinic-%'"
            )
        for row in rows:
            self.add(Thing(f"service-{row['tenant']}", "service", row["id"], {row["tenant"]: "owner"}))
        for row in staff:
            self.add(Thing(f"user-{row['tenant']}", "user", row["id"], {row["tenant"]: "owner"}))
        for side, contract in CONTRACTS.items():
            watchers = {"state": "state", OPERATOR: "operator"}
            self.add(Thing(f"contract-{side}", "contract", contract, watchers | {SIDES[side][1]: "payer"}))
            await self._cursor(SIDES[side][0])

    async def _side(self, side: str) -> None:
        clinic, plan, cbo = SIDES[side]
        seen = {clinic: "sender", plan: "payer"}
        made = await self._submit(f"offered-{side}", clinic, plan, cbo)
        self._referral(f"offered-{side}", made, seen | {cbo: "offered"})
        made = await self._submit(f"accepted-{side}", clinic, plan, cbo)
        await self._answer(made, cbo, "accept", note=canaries.text(cbo, f"accepted-{side}", "accept_note"))
        made = await self._authorize(made, plan, f"accepted-{side}")
        self._referral(f"accepted-{side}", made, seen | {cbo: "holder"})
        made = await self._submit(f"done-{side}", clinic, plan, cbo)
        await self._answer(made, cbo, "accept")
        await self._answer(
            made,
            cbo,
            "complete",
            outcome={"code": "service-provided", "need": "resolved"},
            note=canaries.text(cbo, f"done-{side}", "outcome_note"),
        )
        self._referral(f"done-{side}", made, seen | {cbo: "holder"})
        made = await self._submit(f"review-{side}", clinic, plan, cbo, routing="ask-first")
        self._referral(f"review-{side}", made, seen | {HUB: "hub"})
        made = await self._submit(f"reviewed-{side}", clinic, plan, cbo, routing="ask-first")
        made = await self._assign(made, clinic, cbo)
        self._referral(f"reviewed-{side}", made, seen | {HUB: "hub", cbo: "offered"})
        hop = f"{made['id']}/told/{made['hops'][-1]['hop']}"
        self.add(Thing(f"hop-{side}", "hop", hop, {HUB: "hub"}))
        await self._consent(side, clinic)

    async def _submit(self, name: str, sender: str, plan: str, cbo: str, **changes: Any) -> dict[str, Any]:
        body = self.canaries.submission(sender, name, plan, preferred_organization=cbo, **changes)
        async with self.api.http(sender) as http:
            answer = await http.post("/v1/referrals", json=body)
            assert answer.status_code == 202, answer.text
            found: dict[str, Any] = (await http.get(answer.headers["location"])).json()
        assert found["status"] == ("needs-review" if name.startswith("review") else "requested"), found
        return found

    def _referral(self, name: str, made: dict[str, Any], parties: dict[str, str]) -> None:
        hop = made["hops"][-1]["hop"] if made["hops"] else MISSING
        everyone = parties | {OPERATOR: "operator"}
        self.add(Thing(name, "referral", made["id"], everyone, hop, made["sender_referral_id"]))
        if name.startswith(("accepted", "reviewed")):
            key = str(person_key(made["sender"], made["person"]["person_id"]))
            parts = {"sender": "owner", "hub": "hub", "operator": "operator"}
            theirs = {o: parts[party] for o, party in everyone.items() if party in parts}
            self.add(Thing(f"person-{name}", "person", key, theirs))

    async def _answer(self, made: dict[str, Any], cbo: str, action: str, **more: Any) -> None:
        async with self.api.http(cbo) as http:
            body = {"action": action, "hop": made["hops"][-1]["hop"], **more}
            answer = await http.post(f"/v1/referrals/{made['id']}/responses", json=body)
        assert answer.status_code == 200, answer.text

    async def _authorize(self, made: dict[str, Any], plan: str, name: str) -> dict[str, Any]:
        async with self.api.http(plan) as http:
            body = {"status": "approved", "number": canaries.text(plan, name, "authorization"), "units": 1}
            answer = await http.post(f"/v1/referrals/{made['id']}/authorization", json=body)
        assert answer.status_code == 200, answer.text
        return made

    async def _assign(self, made: dict[str, Any], clinic: str, cbo: str) -> dict[str, Any]:
        async with self.api.owner() as owner:
            service = await owner.fetchval("select id::text from service where tenant = $1", cbo)
        path = f"/v1/referrals/{made['id']}"
        async with self.api.http(HUB) as http:
            body = {"service": service, "reason": canaries.text(HUB, "hub", "assign_reason")}
            answer = await http.post(f"{path}/assign", json=body)
        assert answer.status_code == 200, answer.text
        async with self.api.http(clinic) as http:
            found: dict[str, Any] = (await http.get(path)).json()
        return found

    async def _consent(self, side: str, clinic: str) -> None:
        own_id = canaries.text(clinic, f"consent-{side}", "consent_id")
        person = canaries.text(clinic, f"offered-{side}", "person_id")
        async with self.api.http(clinic) as http:
            body = {"person_id": person, "method": canaries.text(clinic, f"consent-{side}", "consent")}
            answer = await http.put(f"/v1/consents/{own_id}", json=body)
            assert answer.status_code == 200, answer.text
            said = canaries.text(clinic, f"screening-{side}", "screening")
            screening = {"id": said, "person_id": person, "item": [{"linkId": said, "answer": said}]}
            answer = await http.post("/v1/screenings", json=screening)
        assert answer.status_code == 202, answer.text
        self.add(Thing(f"consent-{side}", "consent", own_id, {clinic: "owner"}, own_id=person))

    async def _cursor(self, clinic: str) -> None:
        """Where a list of theirs ended, as it was given out; and the same moment with an id that is nobody's."""
        async with self.api.http(clinic) as http:
            page = (await http.get("/v1/referrals", params={"limit": 1})).json()
        at = datetime.fromisoformat(page["items"][0]["created_at"].replace("Z", "+00:00"))
        self.cursors[clinic] = (page["next_cursor"], encode(Position(at, UUID(MISSING))))

    async def _link(self) -> None:
        """One person at two senders, whom the linker proposes to the hub as one."""
        same = {"given_name": "Guzman", "family_name": "Guzmanova", "birth_date": "1975-11-23"}
        for clinic, plan, cbo in SIDES.values():
            person = same | {
                "person_id": uuid4().hex,
                "address": {"line": "1 Test St", "postal_code": "94607"},
            }
            paid = {"coverage": {"payer": plan, "member_id": "M-1"}, "preferred_organization": cbo}
            await self.api.submitted(clinic, person=person | {"phone": "+1 510 555 0100"}, **paid)
        async with self.api.owner() as owner:
            waiting = await owner.fetch(linker.SQL["waiting"], 100)
            records = await linker.proposals(owner, vault(), [r["person_key"] for r in waiting])
            await self.api.broker.send(records)
            await linker.done(owner, waiting)
            rows = await owner.fetch("select id::text as id from stream where kind = 'person-link'")
        assert rows, "the linker proposes nobody"
        self.add(Thing("link", "link", rows[0]["id"], {HUB: "owner"}))
