"""Makes the containers' passwords on first start: one directory (one volume) for each kind of reader.

Comes in: the directory. Goes out: files, readable inside the volume only. Must never overwrite or print one.
"""

import base64
import secrets
import sys
from pathlib import Path

DATABASE = "postgres:5432/refex"
PARTS = ("api", "worker")


def wanted() -> dict[str, str]:
    """File -> content; passwords are new each time, so only missing files may be written."""
    new = secrets.token_urlsafe
    admin, superuser, owner = new(32), new(32), new(32)
    files = {
        "kafka/admin_password": admin,
        "kafka/controller_password": new(32),
        "postgres/superuser_password": superuser,
        "postgres/owner_password": owner,
        "admin/kafka_password": admin,
        "admin/database_url": f"postgresql://refex_owner:{owner}@{DATABASE}",
        "registry/kafka_password": new(32),
        "metrics/client_secret": new(32),
        "grafana/admin_password": new(16),
        "worker/match_key": new(32),
        "worker/audit_key": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    vault_key = base64.b64encode(secrets.token_bytes(32)).decode()
    files["admin/vault_key"] = vault_key
    for part in PARTS:
        files[f"{part}/vault_key"] = vault_key
        files[f"{part}/kafka_password"] = new(32)
        files[f"{part}/database_url"] = f"postgresql://refex_{part}_login:{new(32)}@{DATABASE}"
    return files


def make(root: Path) -> list[str]:
    """Write them all, or nothing when they are there; returns the files written. Raises RuntimeError."""
    files = wanted()
    there = [name for name in files if (root / name).exists()]
    if len(there) == len(files):
        return []
    if there and (root / "kafka" / "complete").exists():
        missing = sorted(set(files) - set(there))
        raise RuntimeError(f"{', '.join(missing)} is gone; restore it, or `docker compose down --volumes`")
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o444)  # servers run as users of their own; the volume is what keeps others out
    (root / "kafka" / "complete").touch()
    return list(files)


def main() -> None:
    """`python -m infra.compose.credentials DIRECTORY`."""
    made = make(Path(sys.argv[1]))
    sys.stdout.write(f"{len(made)} credentials made\n" if made else "the credentials are there\n")


if __name__ == "__main__":
    main()
