#!/bin/sh
# requirements.sh COMPILER FLAGS_FILE: what tenon can't be compiled with is refused by one sentence, by every door alike.
set -eu
compiler=$1 flags=$2
if ! command -v "$compiler" >/dev/null; then
    echo "SKIPPED: $compiler isn't installed, so it compiled nothing."
    exit 77
fi
failed=0
refuses() { # SENTENCE FLAG...
    sentence=$1
    shift
    for door in network inference training data report tenon; do
        # shellcheck disable=SC2046  # the flags are meant to be split
        if errors=$(printf '#include <tenon/%s.hpp>\ntenon::Model<int> model;\n' "$door" |
            "$compiler" $(cat "$flags") -fsyntax-only "$@" -x c++ - 2>&1); then
            echo "$door.hpp is compiled with $*" && failed=1
        elif ! echo "$errors" | grep -q "error: .*$sentence" || [ "$(echo "$errors" | grep -c 'error: ')" != 2 ]; then
            echo "$door.hpp with $*: expected '$sentence' and nothing else, found:" && echo "$errors" && failed=1
        fi
    done
}
refuses 'tenon needs C++20: compile with -std=c++20 or newer' -std=c++17
refuses 'tenon reports errors by exceptions: compile without -fno-exceptions' -fno-exceptions
for flag in -ffast-math -Ofast -ffinite-math-only; do
    refuses 'tenon relies on NaN and on the order of sums: compile without -ffast-math' -O2 $flag
done
case $compiler in
g++*) refuses 'tenon relies on NaN and on the order of sums' -O2 -funsafe-math-optimizations ;; # Clang doesn't say it
esac
exit $failed
