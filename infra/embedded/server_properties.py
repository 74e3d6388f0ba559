"""The broker's configuration: one node, loopback only, logins and ACLs on from the first start.

In: ports, passwords, a directory. Out: the text of server.properties (holds secrets: never world-readable).
"""

from dataclasses import dataclass
from pathlib import Path

from infra.embedded.local import LOOPBACK

ADMIN = "admin"
MECHANISM = "SCRAM-SHA-256"


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What a broker keeps between starts."""

    cluster_id: str
    port: int
    controller_port: int
    admin_password: str
    controller_password: str
    formatted: bool


def server_properties(state: BrokerState, log_dir: Path) -> str:
    """Sized for a laptop; durability is Kafka's own (the page cache outlives a killed process)."""
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    controller = f'username="controller" password="{state.controller_password}"'
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{LOOPBACK}:{state.controller_port}
controller.listener.names=CONTROLLER
listeners=CLIENT://{LOOPBACK}:{state.port},CONTROLLER://{LOOPBACK}:{state.controller_port}
advertised.listeners=CLIENT://{LOOPBACK}:{state.port}
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT

sasl.enabled.mechanisms={MECHANISM}
sasl.mechanism.inter.broker.protocol={MECHANISM}
listener.name.client.scram-sha-256.sasl.jaas.config={scram} required \
username="{ADMIN}" password="{state.admin_password}";
# SCRAM users live behind the controller, so its own listener cannot use them.
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain} required \
{controller} user_controller="{state.controller_password}";

authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:controller
allow.everyone.if.no.acl.found=false

log.dirs={log_dir}
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
log.segment.bytes=134217728
log.index.size.max.bytes=2097152
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

group.initial.rebalance.delay.ms=0
# A killed broker may register again only when its old session ends: the
# default of 9 s would be most of the time it needs to come back.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""
