#!/bin/sh
# build_and_run.sh COMPILER PREFIX VERSION FOLDER IMAGE: compiles the consumer's program with nothing but pkg-config's flags. With
# IMAGE 1 the component tenon::image has to have a file of its own, and without it none; docs.first_program builds with it.
set -eu
compiler=$1 prefix=$2 version=$3 folder=$4 image=$5
export PKG_CONFIG_PATH="$prefix/share/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"

found=$(pkg-config --modversion tenon)
if [ "$found" != "$version" ]; then
    echo "pkg-config finds tenon $found, expected $version"
    exit 1
fi
if [ "$image" = 1 ]; then
    if [ "$(pkg-config --modversion tenon-image)" != "$version" ]; then
        echo "pkg-config finds no tenon-image $version"
        exit 1
    fi
    libraries=" $(pkg-config --libs tenon-image) " flags=" $(pkg-config --cflags tenon-image) "
    for expected in -ltbb -ljpeg -lpng -lz -std=c++20 -I; do
        case "$libraries$flags" in
        *" $expected"*) ;;
        *) echo "tenon-image gives$libraries and$flags, expected $expected among them" && exit 1 ;;
        esac
    done
    case "$flags$libraries" in
    *" -DTENON_WEBP "*" -lwebp "*) ;;
    *TENON_WEBP* | *-lwebp*) echo "tenon-image gives$libraries and$flags, expected both of WebP or none" && exit 1 ;;
    esac
elif pkg-config --exists tenon-image; then
    echo "pkg-config finds tenon-image, which was not built"
    exit 1
fi
mkdir -p "$folder"
# shellcheck disable=SC2046  # the flags are meant to be split
"$compiler" -O0 -DEXPECTED_VERSION="\"$version\"" "$(dirname "$0")/../consumer/main.cpp" -o "$folder/consumer" \
    $(pkg-config --cflags --libs tenon)
"$folder/consumer"
