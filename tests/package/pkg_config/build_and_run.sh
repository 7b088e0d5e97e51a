#!/bin/sh
# build_and_run.sh COMPILER PREFIX VERSION FOLDER: compiles the consumer's program with nothing but pkg-config's flags.
set -eu
compiler=$1 prefix=$2 version=$3 folder=$4
export PKG_CONFIG_PATH="$prefix/share/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"

found=$(pkg-config --modversion tenon)
if [ "$found" != "$version" ]; then
    echo "pkg-config finds tenon $found, expected $version"
    exit 1
fi
mkdir -p "$folder"
# shellcheck disable=SC2046  # the flags are meant to be split
"$compiler" -O2 -DEXPECTED_VERSION="\"$version\"" "$(dirname "$0")/../consumer/main.cpp" -o "$folder/consumer" \
    $(pkg-config --cflags --libs tenon)
"$folder/consumer"
