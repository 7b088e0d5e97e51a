#!/bin/sh
# compile.sh COMPILER FLAGS_FILE ROOT SOURCE: compiles a file with all warnings as errors and without generating code.
set -eu
compiler=$1 flags=$2 root=$3 source=$4
if ! command -v "$compiler" >/dev/null; then
    echo "SKIPPED: $compiler isn't installed, so it didn't compile $source."
    exit 77
fi
# shellcheck disable=SC2046  # the flags are meant to be split
"$compiler" $(cat "$flags") -DTENON_SOURCE_DIR="\"$root\"" -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion \
    -Wno-sign-conversion -Wshadow -Werror "$source"
