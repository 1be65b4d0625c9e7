#!/usr/bin/env bash
# up.sh DIR [1|3]: starts so many brokers of Apache Kafka on loopback, with their data in DIR, and prints their addresses
# (host:port,…) when all have started. Brokers that were in DIR before start again with their data. See format.sh for
# what can be set; down.sh DIR stops them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ -e "$1/bootstrap" ] || "$here/format.sh" "$1" "${2:-1}"
pids=()
for node in "$1"/node*; do "$here/node.sh" "$1" "${node##*/node}" start & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || { "$here/down.sh" "$1"; exit 1; }; done
cat "$1/bootstrap"
