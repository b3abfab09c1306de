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

. "$(dirname "$0")/cache.sh"
script=$(cd "$(dirname "$0")" && pwd)/grafana_schemas.mjs
cache TRAPLINE_GRAFANA_SCHEMAS grafana-schemas "$@"
made schemas "$SDK $GENERATOR $(cksum <"$script")"
needs "apt-get install nodejs npm" node npm
work
mkdir "$work/schemas"
cd "$work"
npm install --ignore-scripts --no-audit --no-fund --no-save --silent --prefix "$work" "$SDK" "$GENERATOR"
cp "$script" "$work/make.mjs"  # node looks for packages beside the script
node make.mjs "$work/node_modules/@grafana/grafana-foundation-sdk" "$work/schemas"
echo "$made" >"$work/schemas/MADE"
keep "$work/schemas"
echo "$(find "$folder" -name '*.json' | wc -l) schemas of $SDK in $folder"
