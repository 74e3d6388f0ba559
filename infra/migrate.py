"""Numbered migrations: each runs once, in order, in one transaction, under an advisory lock; checksums are kept.

Comes in: the owner's URL. Goes out: the versions that ran. Must never run as a superuser (it sees through RLS).
"""

import hashlib
from importlib import resources

import asyncpg

LOCK = 7_236_501


class MigrationError(RuntimeError):
    """The database cannot be migrated; the message says what to do."""


def files() -> list[tuple[str, str]]:
    """(version, SQL) of every migration, in order."""
    folder = resources.files("infra").joinpath("migrations")
    names = sorted(p.name for p in folder.iterdir() if p.name.endswith(".sql"))
    return [(n.removesuffix(".sql"), folder.joinpath(n).read_text(encoding="utf-8")) for n in names]


async def pending(connection: asyncpg.Connection) -> list[str]:
    """The versions that have not run; raises MigrationError when a file changed after it ran."""
    if not await connection.fetchval("select to_regclass('schema_migration') is not null"):
        return [version for version, _ in files()]
    ran = {r["version"]: r["sha256"] for r in await connection.fetch("select * from schema_migration")}
    for version, sql in files():
        if version in ran and ran[version] != _sha256(sql):
            raise MigrationError(f"migration {version} was edited after it ran; restore it and add a new one")
    return [version for version, _ in files() if version not in ran]


async def migrate(url: str) -> list[str]:
    """Run what has not run yet; returns the versions that ran. Raises MigrationError."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "refex-migrate"})
    try:
        if await connection.fetchval("select rolsuper from pg_roles where rolname = current_user"):
            raise MigrationError(
                "REFEX_DATABASE_URL logs in as a superuser, who sees through row-level security; "
                "create a role that owns the database and has CREATEROLE, and use that"
            )
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
            await connection.execute(
                "create table if not exists schema_migration"
                " (version text primary key, sha256 text not null, at timestamptz not null default now())"
            )
            todo = await pending(connection)
            for version, sql in files():
                if version in todo:
                    await connection.execute(sql)
                    await connection.execute(
                        "insert into schema_migration (version, sha256) values ($1, $2)",
                        version,
                        _sha256(sql),
                    )
            return todo
    finally:
        await connection.close()


def _sha256(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()
