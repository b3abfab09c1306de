#!/bin/sh
# Makes a container image of Trapline without pulling any: this machine's Python 3.11 with the libraries it is linked
# to, Trapline's packages, and the wheels they need (without those of reports and the terminal screens).
#
#     deploy/kubernetes/image.sh TAG             into podman's, else docker's images, as localhost/TAG
#     deploy/kubernetes/image.sh --tar FILE      the file system only
#
# The same sources, wheels and Python give the same bytes. The image runs as user 10001 on a read-only root and has
# no shell. $PYTHON: the Python to take (python3.11); $ENGINE: podman or docker, and its options. Needs pip, ldd, tar.
set -eu

usage() {
    echo "usage: $0 TAG | --tar FILE" >&2
    exit 2
}

case "${1:-}" in
--tar) [ $# = 2 ] || usage; tar=$2 ;;
"" | -*) usage ;;
*) [ $# = 1 ] || usage; tar= ;;
esac
top=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3.11}
if ! command -v "$python" >/dev/null; then
    echo "$0 needs $python: apt-get install python3.11, or name one in \$PYTHON" >&2
    exit 1
fi
ask() { "$python" -c "import sys, sysconfig; print($1)"; }
engine=
if [ -z "$tar" ]; then
    engine=${ENGINE:-$(command -v podman || command -v docker || true)}
    if [ -z "$engine" ]; then
        echo "$0 needs podman or docker: apt-get install podman" >&2
        exit 1
    fi
fi
case $(ask "sys.version_info[:2]") in
"(3, 11)") ;;
*)
    echo "$0: $python is not Python 3.11; name one in \$PYTHON" >&2
    exit 1
    ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM  # a signal alone would leave it: sh runs the line above when it exits
root=$work/root
home=$root/opt/python
packages=$home/lib/python3.11/site-packages
mkdir -p "$home/bin" "$packages" "$root/etc" "$root/usr/lib" "$root/run/trapline" "$root/tmp"

# Python, without what nobody here imports.
cp "$(ask 'sys.base_prefix')/bin/python3.11" "$home/bin/python3.11"
tar -C "$(ask 'sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})')" -cf - \
    --exclude=__pycache__ --exclude=./site-packages --exclude=./dist-packages --exclude=./test --exclude=./tests \
    --exclude=./idlelib --exclude=./tkinter --exclude=./turtledemo --exclude=./turtle.py --exclude=./ensurepip \
    --exclude=./lib2to3 --exclude=./distutils --exclude=./pydoc_data --exclude='./config-*' --exclude=./sqlite3 \
    --exclude='_test*.so' --exclude='_tkinter*.so' --exclude='_sqlite3*.so' --exclude='_dbm*.so' \
    --exclude='_gdbm*.so' --exclude='_curses*.so' --exclude='readline*.so' --exclude='_codecs_*.so' \
    --exclude='_xx*.so' --exclude='_ctypes_test*.so' . | tar -C "$home/lib/python3.11" -xf -

# Wheels, and Trapline.
needed=$("$python" - "$top/pyproject.toml" <<'END'
import re, sys, tomllib
left_out = {"pyarrow", "plotly", "textual", "jinja2"}
for line in tomllib.load(open(sys.argv[1], "rb"))["project"]["dependencies"]:
    if re.match(r"[a-z0-9-]+", line)[0] not in left_out:
        print(line)
END
)
echo "$needed" >"$work/needed.txt"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --root-user-action ignore \
    --target "$packages" -r "$work/needed.txt"
rm -rf "$packages/bin" "$packages/pygments/lexers" "$packages"/zmq/tests "$packages"/*/tests
for package in bus nodes deploy; do
    tar -C "$top" -cf - --exclude=__pycache__ "$package" | tar -C "$packages" -xf -
done
"$python" -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$root" "$home/lib/python3.11" >/dev/null

# The libraries, where the loader looks without being told.
find "$home" -name '*.so' -o -name '*.so.*' -o -name python3.11 -type f | xargs ldd 2>/dev/null |
    sed -n 's/^.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p' | sort -u |
    while read -r library; do
        case $library in
        "$root"/*) ;;
        */ld-linux*) mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library" ;;
        *) cp -L "$library" "$root/usr/lib/$(basename "$library")" ;;
        esac
    done
echo 'trapline:x:10001:10001::/tmp:/none' >"$root/etc/passwd"
echo 'trapline:x:10001:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chmod -R u=rwX,go=rX "$root"
chmod 1777 "$root/tmp" "$root/run/trapline"

pack() {
    tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu -cf - .
}
if [ -n "$tar" ]; then
    pack >"$tar"
else
    pack | $engine import --change 'ENTRYPOINT ["/opt/python/bin/python3.11","-m","deploy.entry"]' \
        --change 'USER 10001:10001' --change 'WORKDIR /tmp' --change 'ENV PYTHONDONTWRITEBYTECODE=1' \
        --change 'ENV PATH=/opt/python/bin' - "localhost/$1" >/dev/null
    echo "localhost/$1"
fi
