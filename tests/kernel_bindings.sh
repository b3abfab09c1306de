#!/bin/sh
# Puts the kernel's binding of SCMI into a folder, for tests/deploy/test_dt_validate.py:
#
#     tests/kernel_bindings.sh [FOLDER]
#     TRAPLINE_KERNEL_BINDINGS=FOLDER pytest tests/deploy/test_dt_validate.py
#
# It comes out of the newest kernel source package that the machine's own apt sources offer. Nothing is
# installed and no apt setting is changed. A FOLDER that holds the binding already is left as it is, so it is
# a cache. Without FOLDER that is $TRAPLINE_KERNEL_BINDINGS, else $XDG_CACHE_HOME/trapline/kernel-bindings.
# Needs apt-get, dpkg-deb and tar with xz, about 300 MB in a temporary folder while it runs, but not root.
set -eu

. "$(dirname "$0")/cache.sh"
cache TRAPLINE_KERNEL_BINDINGS kernel-bindings "$@"
if [ -f "$folder/arm,scmi.yaml" ]; then
    echo "$folder holds the binding already"
    exit 0
fi

work
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
cd "$work"

own() {
    program=$1
    shift
    "$program" -q -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User= "$@"
}

own apt-get update >update.log 2>&1 || true
# linux-source holds no files: it depends on the newest kernel's source.
package=$(own apt-cache depends linux-source 2>/dev/null | sed -n 's/.*Depends: \(linux-source-[^ ]*\)/\1/p' | head -n 1)
if [ -z "$package" ]; then
    cat update.log >&2
    echo "no apt source of this machine offers linux-source" >&2
    exit 1
fi
own apt-get download "$package"
dpkg-deb -x "$package"_*.deb unpacked
tar -xJf unpacked/usr/src/"$package".tar.xz -C "$work" "$package/Documentation/devicetree/bindings/firmware/arm,scmi.yaml"
cp "$package/Documentation/devicetree/bindings/firmware/arm,scmi.yaml" "$folder"
echo "arm,scmi.yaml of $package in $folder"
