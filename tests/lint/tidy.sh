#!/bin/sh
# tidy.sh ROOT BUILD FLAGS_FILE: runs clang-tidy over one file that includes every public header, and over the examples.
set -eu
root=$1 build=$2 flags=$3
if ! command -v clang-tidy-16 >/dev/null; then
    echo "SKIPPED: clang-tidy-16 isn't installed, so nothing was linted."
    exit 77
fi
cd "$root"
(cd include && find tenon -name '*.hpp' | sort | sed 's/.*/#include <&>/') >"$build/all_headers.cpp"
clang-tidy-16 --quiet --config-file=.clang-tidy "$build/all_headers.cpp" $(find examples -name '*.cpp') -- $(cat "$flags") \
    "-DTENON_SOURCE_DIR=\"$root\""
