#!/bin/sh
# libcxx.sh COMPILER FLAGS_FILE SOURCE FOLDER FLAG...: builds a program with LLVM's standard library and runs it in a folder.
# oneTBB, which is made for GNU's, is linked: what it exports has no types of either library.
set -eu
compiler=$1 flags=$2 source=$3 folder=$4
shift 4
if ! command -v "$compiler" >/dev/null || ! echo '#include <string>' | "$compiler" -stdlib=libc++ -x c++ -fsyntax-only -; then
    echo "SKIPPED: $compiler or its libc++ isn't installed, so no program was built with it."
    exit 77
fi
mkdir -p "$folder"
# shellcheck disable=SC2046  # the flags are meant to be split
"$compiler" $(cat "$flags") -stdlib=libc++ -O0 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror \
    "$source" -o "$folder/program" "$@"
"$folder/program" "$folder"
