#!/bin/sh
# Puts the device trees of real boards into a folder, for tests/deploy/test_devicetree_vendor.py:
#
#     tests/vendor_dtbs.sh FOLDER
#     TRAPLINE_VENDOR_DTBS=FOLDER pytest tests/deploy/test_devicetree_vendor.py
#
# They come out of the newest arm64 kernel package that the machine's own apt sources offer, whatever the
# machine's architecture. Nothing is installed and no apt setting is changed: the package lists, the
# download and the unpacked kernel live in a temporary folder. A FOLDER that holds device trees already
# is left as it is. Needs apt-get and dpkg-deb, that is Debian or a derivative, but not root.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
if [ -n "$(find "$folder" -name '*.dtb' -print -quit)" ]; then
    echo "$folder holds device trees already"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
cd "$work"

# apt's own state stays untouched: arm64 is the architecture of this private state only.
arm64() {
    program=$1
    shift
    "$program" -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::lists="$work/lists" \
        -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" -o APT::Sandbox::User= "$@"
}

# A source that does not serve arm64 fails to update; the search below tells whether one did.
arm64 apt-get update >update.log 2>&1 || true
# linux-image-arm64 holds no files: it depends on the newest kernel.
package=$(arm64 apt-cache depends linux-image-arm64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p' | head -n 1)
if [ -z "$package" ]; then
    cat update.log >&2
    echo "no apt source of this machine offers linux-image-arm64" >&2
    exit 1
fi
arm64 apt-get download "$package"
dpkg-deb -x "$package"_*.deb unpacked
cp -R unpacked/usr/lib/linux-image-*/. "$folder"
echo "$(find "$folder" -name '*.dtb' | wc -l) device trees of $package in $folder"
