#!/usr/bin/env bash
# format.sh DIR [1|3]: prepares so many brokers in DIR, each a controller too, on free ports of loopback that they keep.
# Writes DIR/jars (a link), DIR/bootstrap (host:port,…) and for node N DIR/nodeN/server.properties and DIR/nodeN/data.
#
#   KAFKA_SETTINGS   lines that every server.properties ends with
#   KAFKA_ADVERTISED host:port,…: for each broker the address of a proxy of the caller's. There is one more listener then,
#                    DIR/bootstrap.behind, of which clients learn those addresses only
#   KAFKA_TLS        a directory with broker.pem (key in PKCS#8, certificate, CA) and ca.pem: there are two more
#                    listeners then, DIR/bootstrap.sasl (TLS, SASL PLAIN and SCRAM-SHA-512 for the user klaxon with the
#                    password $KAFKA_PASSWORD) and DIR/bootstrap.tls (TLS with client certificates)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jars=$("$here/fetch.sh")
dir=$(mkdir -p "$1" && cd "$1" && pwd)
nodes=${2:-1}
copies=$((nodes < 3 ? 1 : 3))
in_sync=$((nodes < 3 ? 1 : 2))
cluster=a2xheG9uLWUyZS1rYWZrYQ
tls=${KAFKA_TLS:-}

# Ports below those of outgoing connections, which could take one while its broker is away.
taken=" "
free_port() { # sets port
	while :; do
		port=$((10000 + (RANDOM * 32768 + RANDOM) % 10000))
		[[ $taken == *" $port "* ]] && continue
		(exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && continue
		taken+="$port "
		return
	done
}

IFS=, read -ra advertised <<< "${KAFKA_ADVERTISED:-}"
voters= bootstrap= bootstrap_behind= bootstrap_sasl= bootstrap_tls=
for n in $(seq "$nodes"); do
	free_port; controller[n]=127.0.0.1:$port; voters+=,$n@${controller[n]}
	free_port; plain[n]=127.0.0.1:$port; bootstrap+=,${plain[n]}
	free_port; behind[n]=127.0.0.1:$port; bootstrap_behind+=,${behind[n]}
	free_port; sasl[n]=127.0.0.1:$port; bootstrap_sasl+=,${sasl[n]}
	free_port; mutual[n]=127.0.0.1:$port; bootstrap_tls+=,${mutual[n]}
done

properties() { # properties NODE
	local open=PLAINTEXT://${plain[$1]} told
	[ -z "$tls" ] || open+=,SASL_SSL://${sasl[$1]},SSL://${mutual[$1]}
	told=$open
	[ ${#advertised[@]} = 0 ] || { open+=,BEHIND://${behind[$1]}; told+=,BEHIND://${advertised[$1 - 1]}; }
	cat <<-END
		node.id=$1
		process.roles=broker,controller
		controller.quorum.voters=${voters#,}
		controller.listener.names=CONTROLLER
		listeners=$open,CONTROLLER://${controller[$1]}
		advertised.listeners=$told
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,BEHIND:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
		inter.broker.listener.name=PLAINTEXT
		log.dirs=$dir/node$1/data

		auto.create.topics.enable=false
		default.replication.factor=$copies
		min.insync.replicas=$in_sync
		offsets.topic.replication.factor=$copies
		transaction.state.log.replication.factor=$copies
		transaction.state.log.min.isr=$in_sync
		share.coordinator.state.topic.replication.factor=$copies
		share.coordinator.state.topic.min.isr=$in_sync

		# Tests start many groups, restart brokers and wait for retention: all of it soon.
		offsets.topic.num.partitions=4
		transaction.state.log.num.partitions=4
		share.coordinator.state.topic.num.partitions=4
		group.initial.rebalance.delay.ms=0
		group.min.session.timeout.ms=1000
		broker.session.timeout.ms=3000
		broker.heartbeat.interval.ms=500
		log.retention.check.interval.ms=1000
		log.initial.task.delay.ms=1000
		log.segment.delete.delay.ms=1000
	END
	[ -z "$tls" ] || cat <<-END
		sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
		listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_klaxon="$KAFKA_PASSWORD";
		listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		ssl.keystore.type=PEM
		ssl.keystore.location=$tls/broker.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=$tls/ca.pem
		listener.name.ssl.ssl.client.auth=required
	END
	printf '%s\n' "${KAFKA_SETTINGS:-}"
}

format() { # format NODE
	local node=$dir/node$1
	mkdir -p "$node"
	properties "$1" > "$node/server.properties"
	java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$jars/*" kafka.tools.StorageTool format \
		-c "$node/server.properties" -t "$cluster" \
		${tls:+--add-scram "SCRAM-SHA-512=[name=klaxon,password=$KAFKA_PASSWORD]"} > "$node/format.log" 2>&1 ||
		{ cat "$node/format.log" >&2; return 1; }
}

ln -sfn "$jars" "$dir/jars"
pids=()
for n in $(seq "$nodes"); do format "$n" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; done
echo "${bootstrap#,}" > "$dir/bootstrap"
[ ${#advertised[@]} = 0 ] || echo "${bootstrap_behind#,}" > "$dir/bootstrap.behind"
[ -z "$tls" ] || { echo "${bootstrap_sasl#,}" > "$dir/bootstrap.sasl"; echo "${bootstrap_tls#,}" > "$dir/bootstrap.tls"; }
