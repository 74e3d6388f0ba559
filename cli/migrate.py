"""`refex migrate`: brings the database's tables up to this version; safe to run again.

Must never run as a superuser (infra/migrate.py refuses it).
"""

import click

from cli.common import find, json_option, print_json, run, wants_json
from infra import migrate as migrations


@click.command(epilog="Example: REFEX_DATABASE_URL=postgresql://owner@host/refex refex migrate")
@json_option
def migrate(as_json: bool) -> None:
    """Run the migrations that have not run yet."""
    ran = run(migrations.migrate(find().database_url))
    if wants_json(as_json):
        print_json({"ran": ran})
    else:
        click.echo("\n".join(ran) if ran else "nothing to do: the database is up to date")
