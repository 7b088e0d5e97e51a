#!/bin/sh
# tidy.sh ROOT BUILD FLAGS_FILE headers|examples: runs clang-tidy over one file that includes every public header, or over one
# that holds every source file of the examples. One, as most of the time goes into what the files include.
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
    without=none
    # shellcheck disable=SC2046  # a list of words
    if ! echo '#include <mpi.h>' | c++ $(cat "$flags") -fsyntax-only -x c++ - 2>/dev/null; then
        echo "mpi.hpp is left out: there is no mpi.h."
        without=mpi.hpp
    fi
    # What a macro of tenon::image opens.
    # shellcheck disable=SC2046  # a list of words
    if echo '#include <webp/decode.h>' | c++ $(cat "$flags") -fsyntax-only -x c++ - 2>/dev/null; then
        warnings=-DTENON_WEBP
    fi
    (cd include && find tenon -name '*.hpp' ! -name "$without" | sort | sed 's/.*/#include <&>/') >"$build/all_headers.cpp"
    files=$build/all_headers.cpp
    ;;
examples)
    # Lists of networks have hardly any code of their own, and reading what they instantiate takes minutes.
    without=none
    # shellcheck disable=SC2046  # a list of words
    if ! echo '#include <httplib.h>' | c++ $(cat "$flags") -fsyntax-only -x c++ - 2>/dev/null; then
        echo "examples/serve is left out: there is no httplib.h."
        without=examples/serve
    fi
    sources=$(find examples -name '*.cpp' ! -path "$without/*" ! -name 'networks_of_*.cpp' ! -name packed_networks.cpp \
        ! -name variants.cpp | sort)
    # First all that they include, then the text of each in a namespace of its own, as several have a main() and an Options.
    # The text, as clang's analyzer passes over what is included. It looks less far into what functions call (its shallow
    # mode): the deep one takes minutes more.
    {
        # shellcheck disable=SC2086  # a list of words
        sed -n 's/^#include <.*/&/p' $sources | sort -u
        find examples -name '*.hpp' ! -path "$without/*" | sort | sed "s|.*|#include \"$root/&\"|"
        for source in $sources; do
            echo "namespace $(echo "$source" | tr / _ | sed 's/\.cpp$//') {"
            sed 's/^#include/\/\/ &/' "$source"
            echo "}"
        done
    } >"$build/all_examples.cpp"
    files=$build/all_examples.cpp
    warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Xclang -analyzer-config -Xclang mode=shallow"
    ;;
*)
    echo "tidy.sh: expected headers or examples, found '$4'" >&2
    exit 2
    ;;
esac
# shellcheck disable=SC2086  # lists of words
clang-tidy-16 --quiet --config-file=.clang-tidy --header-filter='include/tenon/|examples/' $files -- $(cat "$flags") $warnings "-DTENON_SOURCE_DIR=\"$root\""
