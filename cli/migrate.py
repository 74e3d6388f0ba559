"""`refex migrate`: brings the database's tables up to this version; safe to run again.

Must never run as a superuser (infra/migrate.py refuses it).
"""

import click

from cli.common import find, json_option, print_json, run, wants_json
from infra import migrate as migrations
from infra.vault import kept


@click.command(epilog="Example: REFEX_DATABASE_URL=postgresql://owner@host/refex refex migrate")
@json_option
def migrate(as_json: bool) -> None:
    """Run the migrations that have not run yet, and seal secrets that an earlier version stored in the clear."""
    exchange = find()
    ran = run(migrations.migrate(exchange.database_url))
    sealed = run(kept.seal(exchange.database_url, exchange.settings))
    if wants_json(as_json):
        print_json({"ran": ran, "sealed": sealed})
        return
    click.echo("\n".join(ran) if ran else "nothing to do: the database is up to date")
    if sealed:
        click.echo(f"{sealed} secrets sealed that were stored in the clear")
