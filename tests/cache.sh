# What the scripts beside this share that fill a folder for tests: sourced, never run by itself.
#
#     . "$(dirname "$0")/cache.sh"
#     cache VARIABLE NAME "$@"      $folder: FOLDER if it is given, else $VARIABLE, else NAME in the user's cache
#     made WHAT VERSIONS            ends here if it holds these already, or anything else
#     needs "HOW TO GET THEM" PROGRAM...
#     work                          $work: a temporary folder that goes at the end, however that comes
#     keep DIR                      what is in DIR is the folder now, as a whole or not at all

cache() {
    variable=$1 name=$2
    shift 2
    if [ $# -gt 1 ]; then
        echo "usage: $0 [FOLDER]" >&2
        exit 2
    fi
    eval "folder=\${1:-\${$variable:-\${XDG_CACHE_HOME:-\$HOME/.cache}/trapline/$name}}"
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
}

made() {
    made=$2
    if [ "$(cat "$folder/MADE" 2>/dev/null || true)" = "$made" ]; then
        echo "$folder holds the $1 already: $made"
        exit 0
    fi
    if [ ! -f "$folder/MADE" ] && [ -n "$(ls -A "$folder")" ]; then
        echo "$folder holds other files; name a folder of its own" >&2
        exit 2
    fi
}

needs() {
    how=$1
    shift
    for program in "$@"; do
        if ! command -v "$program" >/dev/null; then
            echo "$0 needs $program: $how" >&2
            exit 1
        fi
    done
}

work() {
    work=$(mktemp -d)
    trap 'rm -rf "$work" "$folder.$$"' EXIT
    trap 'exit 130' HUP INT TERM  # a signal alone would leave it: sh runs the line above when it exits
}

# Renamed when whole, so that an interrupted run leaves no half-filled cache.
keep() {
    cp -R "$1" "$folder.$$"
    [ ! -f "$folder/MADE" ] || rm -rf "$folder"
    [ ! -d "$folder" ] || rmdir "$folder" # which other files prevent
    mv "$folder.$$" "$folder"
}
