#!/bin/sh
# tidy.sh ROOT BUILD FLAGS_FILE headers|examples: runs clang-tidy over one file that includes every public header, or over the
# examples.
set -eu
warnings=""
root=$1 build=$2 flags=$3
if ! command -v clang-tidy-16 >/dev/null; then
    echo "SKIPPED: clang-tidy-16 isn't installed, so nothing was linted."
    exit 77
fi
cd "$root"
case "$4" in
headers)
    (cd include && find tenon -name '*.hpp' | sort | sed 's/.*/#include <&>/') >"$build/all_headers.cpp"
    files=$build/all_headers.cpp
    ;;
examples)
    files=$(find examples -name '*.cpp' | sort)
    warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow"
    ;;
*)
    echo "tidy.sh: expected headers or examples, found '$4'" >&2
    exit 2
    ;;
esac
# shellcheck disable=SC2086  # lists of words
clang-tidy-16 --quiet --config-file=.clang-tidy $files -- $(cat "$flags") $warnings "-DTENON_SOURCE_DIR=\"$root\""
