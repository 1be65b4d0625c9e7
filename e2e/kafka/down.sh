#!/usr/bin/env bash
# down.sh DIR: stops the brokers that up.sh started there, by their process ids. Their data stays.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pids=()
for node in "$1"/node*; do "$here/node.sh" "$1" "${node##*/node}" stop & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; done
