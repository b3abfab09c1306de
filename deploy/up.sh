#!/bin/sh
# Start a platform in the background and return once it is ready. For CI jobs and colleagues.
#
#   deploy/up.sh                                        the automotive platform
#   deploy/up.sh --host-dt board.dtb --host-dt xen.dts --xl guest.cfg
#
# Takes the options of 'trapline up'; prints where it runs. Exit code: 0 ready, 1 failed, 2 wrong input.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
trapline="$here/.venv/bin/trapline"
[ -x "$trapline" ] || trapline=$(command -v trapline) || {
	echo "up.sh: no trapline here; run 'make setup' in $here first" >&2
	exit 2
}
exec "$trapline" up --detach "$@"
