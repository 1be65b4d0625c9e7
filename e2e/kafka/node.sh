#!/usr/bin/env bash
# node.sh DIR N COMMAND: one of the brokers that format.sh prepared.
#
#   run      is the broker; it ends with it. Output goes to DIR/nodeN/log, the process id to DIR/nodeN/pid
#   start    starts it and returns when it says that it has started
#   stop     SIGTERM: hands its partitions over, then ends; returns when it has
#   kill     SIGKILL
#   pause    SIGSTOP
#   resume   SIGCONT
#
# KAFKA_JVM replaces the options of the Java machine: those here start soon and leave the cores to what is tested.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(cd "$1" && pwd)
node=$dir/node$2

# pid prints the process id if that is still the broker: ids are used again.
pid() {
	[ -s "$node/pid" ] || return 1
	ps -ww -o args= -p "$(< "$node/pid")" 2> /dev/null | grep -qF "kafka.Kafka $node/server.properties" && cat "$node/pid"
}

gone() { # gone SECONDS
	for _ in $(seq $(($1 * 10))); do pid > /dev/null || return 0; sleep 0.1; done
	return 1
}

case $3 in
run)
	echo $$ > "$node/pid"
	# shellcheck disable=SC2086 # several options
	exec java ${KAFKA_JVM:--Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
		-Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$dir/jars/*" \
		kafka.Kafka "$node/server.properties" >> "$node/log" 2>&1 < /dev/null
	;;
start)
	pid > /dev/null && exit 0
	: > "$node/log"
	setsid "$0" "$dir" "$2" run &
	for _ in $(seq 900); do
		grep -q 'Kafka Server started' "$node/log" && exit 0
		kill -0 $! 2> /dev/null || break
		sleep 0.1
	done
	tail -n 20 "$node/log" >&2
	echo "node.sh: broker $2 did not start; all that it said is in $node/log" >&2
	exit 1
	;;
stop)
	p=$(pid) || exit 0
	kill -CONT "$p"
	kill -TERM "$p"
	gone 60 || { kill -KILL "$p"; gone 10; }
	;;
kill) p=$(pid) && kill -KILL "$p" && gone 10 ;;
pause) p=$(pid) && kill -STOP "$p" ;;
resume) p=$(pid) && kill -CONT "$p" ;;
*)
	sed -n '2,/^$/s/^# \?//p' "$0" >&2
	exit 2
	;;
esac
