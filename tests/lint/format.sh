#!/bin/sh
# format.sh ROOT: checks that every source file is formatted as .clang-format says. Another version formats otherwise, so it
# has to be 14.
set -eu
cd "$1"
if ! command -v clang-format-14 >/dev/null; then
    echo "SKIPPED: clang-format-14 isn't installed, so no file's format was checked."
    exit 77
fi
find include tests benchmarks examples -name '*.?pp' -print0 | xargs -0 clang-format-14 --dry-run -Werror
