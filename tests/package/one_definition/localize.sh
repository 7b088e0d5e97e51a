#!/bin/sh
# The link step of README.md, "Several instruction sets in one program", and what it promises: afterwards an object file
# exports its entries and nothing else that the linker could merge with another file's. The program that is linked with
# it runs.
#
# usage: localize.sh FOLDER OBJECT ENTRY... -- LINK_COMMAND...
set -eu
folder=$1 object=$2
shift 2
entries="" keep=""
while [ "$1" != -- ]; do
    entries="$entries$1
"
    keep="$keep --keep-global-symbol=$1"
    shift
done
shift
mkdir -p "$folder"
exports() { nm --defined-only "$1" | awk '$2 ~ /[A-Zuvw]/ { print $3 }' | sort; }

before=$(nm --defined-only "$object" | awk '$2 ~ /[WVw]/' | grep -cv tenon || true)
if [ "$before" -eq 0 ]; then
    echo "$object has no weak symbols of other libraries, so there is nothing to show."
    exit 1
fi
ld -r --force-group-allocation "$object" -o "$folder/merged.o"
# shellcheck disable=SC2086  # a list of options
objcopy $keep "$folder/merged.o" "$folder/part.o"
if [ "$(exports "$folder/part.o")" != "$(printf %s "$entries" | sort)" ]; then
    echo "expected to export only"
    echo "$entries"
    echo "found"
    exports "$folder/part.o" | head -20
    exit 1
fi
if ! readelf -gW "$folder/part.o" | grep -q "no section groups"; then
    echo "expected no section groups, of which the linker keeps one among all files, found"
    readelf -gW "$folder/part.o" | head
    exit 1
fi
echo "$before weak symbols of the standard library and oneTBB are this file's own now."
"$@" "$folder/part.o" -ltbb -o "$folder/program"
"$folder/program"
