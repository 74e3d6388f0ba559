"""`refex route --explain`: what routing would decide for a file's referrals, and why; nothing is sent or stored.
`--compare` is route_compare.py's.

Comes in: a file of referrals, a directory (HSDS JSON, by default the demo's). Goes out: the decision as a table or
JSON. Needs no exchange; whatever the consent says, so that a rule can be understood beforehand.
"""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from rich.console import Console
from rich.table import Table

from cli import route_compare
from cli.common import FILE, find, json_option, note, print_json, run, wants_json
from cli.publish_files import Found, read
from infra.places import places
from infra.vault.vault import vault_of
from producers import demo_directory, hsds
from producers.envelope import open_plain, seal, submission_bytes
from referrals import ids
from referrals.commands import Envelope
from referrals.directory import Directory
from referrals.events import Candidate, Fact, RoutingDecided
from referrals.evolve import evolve
from referrals.placing import World, decide
from referrals.state import Referral
from referrals.submission import Submission
from referrals.submitting import received
from referrals.words import Channel


@click.command(epilog="Example: refex route --explain referral.json --directory hsds/")
@click.option(
    "--explain",
    "file",
    metavar="FILE",
    type=FILE,
    help="Referrals as JSON, a FHIR Bundle or CSV.",
)
@click.option(
    "--directory",
    "path",
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="HSDS JSON, a file or a folder; by default the demo directory.",
)
@click.option(
    "--compare",
    "other",
    metavar="POLICY",
    type=FILE,
    help="Decide past referrals of the exchange again under another policy file; nothing changes.",
)
@click.option(
    "--limit", default=10_000, show_default=True, type=click.IntRange(1), help="How many, newest first."
)
@click.option("--sender", default="sender", show_default=True, metavar="ORG", help="Who sends it.")
@json_option
def route(
    file: Path | None, path: Path | None, other: Path | None, limit: int, sender: str, as_json: bool
) -> None:
    """Explain which service a referral would be sent to and why no other; or compare policies on past referrals."""
    if (file is None) == (other is None):
        raise click.UsageError("say either --explain FILE or --compare POLICY")
    if other is not None:
        _compare(other, limit, wants_json(as_json))
    elif file is not None:
        _explain(file, path, sender, wants_json(as_json))


def _compare(other: Path, limit: int, as_json: bool) -> None:
    asked = route_compare.read_policy(other)
    exchange = find()
    vault = vault_of(exchange.settings)
    found = run(route_compare.compare(exchange.database_url, vault, asked, limit))
    if as_json:
        print_json(found)
    else:
        route_compare.show(found)


def _explain(file: Path, path: Path | None, sender: str, as_json: bool) -> None:
    services = (hsds.read_path(path) if path else demo_directory.services()).services
    if not services:
        raise click.ClickException(f"{path} has no service; see `refex import-directory {path} --dry-run`")
    directory = Directory(0, [i.service for i in services], places())
    known = {i.service.organization: "cbo" for i in services}
    world = World(directory, {}, known | {sender: "clinic"}, "hub", seal, open_plain)
    names = {i.service.id: f"{i.service.name} ({i.organization_name})" for i in services}
    found = read(file, None, partial(dict, known))
    explained = [_explained(one, sender, world) for one in found]
    if as_json:
        print_json({"items": explained})
    else:
        for row in explained:
            _print(row, names)
    if not found or any(row["problem"] for row in explained):
        raise SystemExit(1)


def _explained(found: Found, sender: str, world: World) -> dict[str, Any]:
    row: dict[str, Any] = {"where": found.where, "problem": found.problem, "need": None, "decision": None}
    if found.submission is None:
        return row
    now = datetime.now(UTC)
    decision = decide(_referral(found.submission, sender, world, now), now, world)
    return row | {"need": found.submission.need.domain, "decision": decision}


def _referral(submission: Submission, sender: str, world: World, now: datetime) -> Referral:
    """The referral as it would stand just after it was received."""
    envelope = Envelope(event_id=uuid4(), organization=sender, channel=Channel.KAFKA, occurred_at=now, at=now)
    first = Fact(received(submission, envelope, world), seal(submission_bytes(submission)))
    return evolve(None, ids.referral_id(sender, submission.sender_referral_id), first, now)


def _print(row: dict[str, Any], names: dict[str, str]) -> None:
    if row["problem"]:
        note(f"{row['where']}: {row['problem']}")
        return
    decision: RoutingDecided = row["decision"]
    chosen = names[decision.chosen] if decision.chosen else "no service fits; a person at the hub decides"
    table = Table("service", "score", "why", title=f"{row['where']}: {row['need']}", title_justify="left")
    for candidate in decision.candidates:
        score = "" if candidate.score is None else f"{candidate.score:.3f}"
        table.add_row(names[candidate.service], score, _why(candidate))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"chosen: {chosen}")
    for rule, count in decision.others_excluded.items():
        console.print(f"and {count} more excluded by {rule}")
    console.print(f"policy: {decision.policy}")


def _why(candidate: Candidate) -> str:
    if candidate.excluded_by:
        return f"excluded by {candidate.excluded_by.rule}: {candidate.excluded_by.detail}"
    return ", ".join(f"{name} {value:g}" for name, value in candidate.parts.items())
