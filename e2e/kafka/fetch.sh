#!/usr/bin/env bash
# fetch.sh: gets the jars of Apache Kafka (45 MB, some ten seconds, once) by Maven into the user's cache, and prints the
# directory. It holds all of them or does not exist. KLAXON_CACHE names another cache than ~/.cache/klaxon.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
cache=${KLAXON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/klaxon}/kafka
jars=$cache/$version

for tool in java mvn; do
	if ! command -v "$tool" > /dev/null; then
		[ "$tool" = mvn ] && [ -d "$jars" ] && continue
		echo "fetch.sh: there is no $tool: a real Kafka needs Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven)" >&2
		exit 1
	fi
done

if [ ! -d "$jars" ]; then
	echo "Getting Apache Kafka $version by Maven (45 MB, once)" >&2
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/fetch-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	if ! mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$work/jars" > "$work/output" 2>&1; then
		tail -n 15 "$work/output" >&2
		echo "fetch.sh: Maven did not get Apache Kafka $version: is its repository reachable from here? ~/.m2/settings.xml may name another one" >&2
		exit 1
	fi
	# Where another run was faster, its directory stays.
	mv -T "$work/jars" "$jars" 2> /dev/null || [ -d "$jars" ]
fi
echo "$jars"
