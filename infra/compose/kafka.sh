#!/usr/bin/env bash
# Becomes a Kafka broker: formats its directory once, with the administrator's SCRAM login in it, then starts.
# Reads passwords from files, so that none stands in the container's environment or on a command line for long.
# Settings: SECRETS (directory), KAFKA_HOME, DATA, HOST and HOST_PORT (how machines outside reach the broker).
set -euo pipefail
umask 077

secrets=${SECRETS:-/secrets/kafka}
kafka=${KAFKA_HOME:-/opt/kafka}
data=${DATA:-/var/lib/kafka/data}
inside=${INSIDE:-kafka:9092}
controller=${CONTROLLER:-kafka:9093}
outside=${OUTSIDE:-localhost:9094}
listen=${LISTEN:-0.0.0.0}
admin=$(<"$secrets/admin_password")
peer=$(<"$secrets/controller_password")
config=$(mktemp -d)/server.properties
security=org.apache.kafka.common.security

cat > "$config" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$controller
controller.listener.names=CONTROLLER
listeners=CLIENT://$listen:${inside##*:},OUTSIDE://$listen:${outside##*:},CONTROLLER://$listen:${controller##*:}
advertised.listeners=CLIENT://$inside,OUTSIDE://$outside
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,OUTSIDE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256
listener.name.client.scram-sha-256.sasl.jaas.config=$security.scram.ScramLoginModule required username="admin" password="$admin";
listener.name.outside.scram-sha-256.sasl.jaas.config=$security.scram.ScramLoginModule required;
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=$security.plain.PlainLoginModule required username="controller" password="$peer" user_controller="$peer";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:controller
allow.everyone.if.no.acl.found=false
log.dirs=$data
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
EOF

if [ ! -f "$data/meta.properties" ]; then
  "$kafka/bin/kafka-storage.sh" format --cluster-id "$("$kafka/bin/kafka-storage.sh" random-uuid)" \
    --config "$config" --add-scram "SCRAM-SHA-256=[name=admin,password=$admin]"
fi

# For the health check, and for an administrator inside the container.
cat > "${ADMIN_PROPERTIES:-/tmp/admin.properties}" <<EOF
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-256
sasl.jaas.config=$security.scram.ScramLoginModule required username="admin" password="$admin";
EOF

exec "$kafka/bin/kafka-server-start.sh" "$config"
