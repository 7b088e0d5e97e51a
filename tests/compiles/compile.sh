#!/bin/sh
# compile.sh COMPILER FLAGS_FILE ROOT SOURCE [FLAG...]: compiles a file with all warnings as errors, and without generating
# code unless a flag says how to optimize it.
set -eu
compiler=$1 flags=$2 root=$3 source=$4
shift 4
if ! command -v "$compiler" >/dev/null; then
    echo "SKIPPED: $compiler isn't installed, so it didn't compile $source."
    exit 77
fi
case " $* " in
*" -O"*) output="-c -o /dev/null" ;;
*) output=-fsyntax-only ;;
esac
# shellcheck disable=SC2046,SC2086  # the flags are meant to be split
"$compiler" $(cat "$flags") -DTENON_SOURCE_DIR="\"$root\"" $output -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion \
    -Wshadow -Werror "$@" "$source"
