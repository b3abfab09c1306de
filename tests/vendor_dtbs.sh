#!/bin/sh
# Puts the device trees of real boards into a folder, for the tests that name TRAPLINE_VENDOR_DTBS:
#
#     tests/vendor_dtbs.sh [FOLDER]
#     TRAPLINE_VENDOR_DTBS=FOLDER pytest
#
# They come out of the newest arm64 kernel that Debian serves in stable, stable-backports, testing or unstable,
# whatever the machine's own release and architecture. The mirror is the one that the machine's apt sources name;
# when it does not serve those suites, the machine's own sources have to do, and a line says so.
#
# Nothing is installed and no apt setting is changed: the package lists, the download and the unpacked files live
# in a temporary folder. A FOLDER that holds device trees already is left as it is, so it is a cache: empty it for
# newer ones. Without FOLDER that is $TRAPLINE_VENDOR_DTBS, else $XDG_CACHE_HOME/trapline/vendor-dtbs. The file
# PACKAGE in it says where the trees are from. Needs apt-get, dpkg-deb and tar, but not root.
set -eu

. "$(dirname "$0")/cache.sh"
cache TRAPLINE_VENDOR_DTBS vendor-dtbs "$@"

count() {
    find "$1" -name '*.dtb' | wc -l
}

if [ -n "$(find "$folder" -name '*.dtb' -print -quit)" ]; then
    echo "$folder holds $(count "$folder") device trees already: $(cat "$folder/PACKAGE" 2>/dev/null || echo 'of unknown origin')"
    exit 0
fi

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/none"
cd "$work"

# apt's own state stays untouched: arm64 is the architecture of this private state only.
arm64() {
    program=$1
    shift
    "$program" -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::lists="$work/lists" \
        -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" -o APT::Sandbox::User= \
        -o Acquire::Languages=none "$@"
}

# The same from the newer suites of the machine's Debian mirror.
newer() {
    program=$1
    shift
    arm64 "$program" -o Dir::Etc::sourcelist="$work/newer.sources" -o Dir::Etc::sourceparts="$work/none" "$@"
}

# The newest version of linux-image-arm64 that "$1" (arm64 or newer) finds; nothing when it finds none.
newest() {
    best=
    for version in $("$1" apt-cache madison linux-image-arm64 2>/dev/null | cut -d '|' -f 2); do
        if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best"; then
            best=$version
        fi
    done
    echo "$best"
}

# The linux-* packages that version "$3" of package "$2" depends on, as "$1" finds them.
kernels() {
    "$1" apt-cache show "$2=$3" | sed -n 's/^Depends: //p' | tr ',|' '\n\n' | sed -n 's/^ *\(linux-[^ ]*-arm64\).*/\1/p'
}

# What "$1" (stable, testing) is called now. A mirror may keep older copies under the names that move.
codename() {
    /usr/lib/apt/apt-helper -o APT::Sandbox::User= download-file "${mirror%/}/dists/$1/InRelease" "$1.release" >/dev/null 2>&1 || true
    sed -n 's/^Codename: //p' "$1.release" 2>/dev/null | grep . || echo "$1"
}

# A source that does not serve arm64 fails to update; what is found below tells whether one did.
arm64 apt-get update >update.log 2>&1 || true
mirror=$(arm64 apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' | sed -n 's/^Debian|Debian|//p' | head -n 1)
from=arm64
version=
if [ -n "$mirror" ] && [ -f "$keyring" ]; then
    stable=$(codename stable)
    suites="$stable $stable-backports $(codename testing) sid"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suites" "$keyring" \
        >newer.sources
    newer apt-get update >newer.log 2>&1 || cat newer.log >&2
    version=$(newest newer)
fi
if [ -n "$version" ]; then
    from=newer
else
    echo "no newer Debian suites beside this machine's own: its own newest arm64 kernel has to do" >&2
    version=$(newest arm64)
fi
if [ -z "$version" ]; then
    cat update.log >&2
    echo "no apt source of this machine offers linux-image-arm64" >&2
    exit 1
fi

# linux-image-arm64 holds no files: it depends on the kernel's own package, which in newer releases
# depends on several more, one of which has the device trees.
mkdir unpacked
image=$(kernels "$from" linux-image-arm64 "$version" | head -n 1)
for package in "$image" $(kernels "$from" "$image" "$version"); do
    "$from" apt-get download "$package=$version" >download.log 2>&1 || { cat download.log >&2; exit 1; }
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x -C unpacked --wildcards '*.dtb' '*.dtbo' 2>/dev/null || true
    trees=$(find unpacked -name '*.dtb' -print -quit)
    [ -z "$trees" ] || break
done
if [ -z "$trees" ]; then
    echo "no device trees in $image $version and the packages it is made of" >&2
    exit 1
fi
# <somewhere>/VENDOR/BOARD.dtb
boards=$(dirname "$(dirname "$trees")")
echo "$package $version" >"$boards/PACKAGE"
keep "$boards"
echo "$(count "$folder") device trees of $package $version in $folder"
