#!/bin/sh
# Stop a platform that up.sh started. When this returns every process, socket and port is gone.
#
#   deploy/down.sh [--name NAME | --run-dir DIR]
#
# Exit code: 0 stopped, 1 failed, 2 nothing runs there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
trapline="$here/.venv/bin/trapline"
[ -x "$trapline" ] || trapline=$(command -v trapline) || {
	echo "down.sh: no trapline here; run 'make setup' in $here first" >&2
	exit 2
}
exec "$trapline" down "$@"
