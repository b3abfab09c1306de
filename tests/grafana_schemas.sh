#!/bin/sh
# Puts JSON schemas of Grafana's dashboards into a folder, for tests/deploy/observability/test_grafana_schemas.py:
#
#     tests/grafana_schemas.sh [FOLDER]
#     TRAPLINE_GRAFANA_SCHEMAS=FOLDER pytest tests/deploy/observability/test_grafana_schemas.py
#
# They are made of the TypeScript types that Grafana publishes to npm; tests/grafana_schemas.mjs makes them. Nothing is
# installed: both packages go to a temporary folder, and no script of theirs is run while npm unpacks them. A FOLDER
# that holds the schemas of these versions already is left as it is, so it is a cache. Without FOLDER that is
# $TRAPLINE_GRAFANA_SCHEMAS, else $XDG_CACHE_HOME/trapline/grafana-schemas. Needs node and npm, not root.
set -eu

SDK=@grafana/grafana-foundation-sdk@0.0.21
GENERATOR=ts-json-schema-generator@2.4.0

if [ $# -gt 1 ]; then
    echo "usage: $0 [FOLDER]" >&2
    exit 2
fi
script=$(cd "$(dirname "$0")" && pwd)/grafana_schemas.mjs
folder=${1:-${TRAPLINE_GRAFANA_SCHEMAS:-${XDG_CACHE_HOME:-$HOME/.cache}/trapline/grafana-schemas}}
made="$SDK $GENERATOR $(cksum <"$script")"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ "$(cat "$folder/MADE" 2>/dev/null || true)" = "$made" ]; then
    echo "$folder holds the schemas already: $made"
    exit 0
fi
if [ ! -f "$folder/MADE" ] && [ -n "$(ls -A "$folder")" ]; then
    echo "$folder holds other files; name a folder of its own" >&2
    exit 2
fi
for program in node npm; do
    if ! command -v $program >/dev/null; then
        echo "$0 needs $program: apt-get install nodejs npm" >&2
        exit 1
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work" "$folder.$$"' EXIT
trap 'exit 130' HUP INT TERM  # a signal alone would leave it: sh runs the line above when it exits
mkdir "$work/schemas"
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --no-save --silent --prefix "$work" "$SDK" "$GENERATOR"
cp "$script" "$work/make.mjs"  # node looks for packages beside the script
node make.mjs "$work/node_modules/@grafana/grafana-foundation-sdk" "$work/schemas"
# Renamed when whole, so that an interrupted run leaves no half-filled cache.
echo "$made" >"$work/schemas/MADE"
cp -R "$work/schemas" "$folder.$$"
rm -rf "$folder"
mv "$folder.$$" "$folder"
echo "$(find "$folder" -name '*.json' | wc -l) schemas of $SDK in $folder"
