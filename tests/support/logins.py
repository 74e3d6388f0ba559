"""The embedded broker's administrator as a login, for processes that were told its address and password alone."""

from infra.kafka import KafkaLogin


def administrators(bootstrap: str, username: str, password: str) -> KafkaLogin:
    """The login that may do everything."""
    return KafkaLogin(
        bootstrap=bootstrap, security_protocol="SASL_PLAINTEXT", username=username, password=password
    )
