"""An authority and a server's certificate, made on the spot: for TLS on loopback, an hour long.

Comes in: a folder. Goes out: PEM files.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates(NamedTuple):
    """`authority` is what a client trusts; `chain` and `key` are the server's; `both` is key and chain in one file."""

    authority: Path
    chain: Path
    key: Path
    both: Path


def certificates(folder: Path, address: str = "127.0.0.1") -> Certificates:
    """An authority of its own and a certificate for that address."""
    folder.mkdir(exist_ok=True)
    root, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _signed("Synthetic Authority", root, "Synthetic Authority", root)
    issued = _signed(address, server, "Synthetic Authority", root, address)
    pem = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = issued.public_bytes(serialization.Encoding.PEM)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key", folder / "both.pem")
    trusted = authority.public_bytes(serialization.Encoding.PEM)
    for path, content in zip(made, (trusted, chain, pem, pem + chain), strict=True):
        path.write_bytes(content)
        path.chmod(0o600)
    return made


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, by: str, by_key: ec.EllipticCurvePrivateKey, address: str = ""
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=not address, path_length=None), critical=True)
    )
    if address:
        named = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(named, critical=False)
    return builder.sign(by_key, hashes.SHA256())
