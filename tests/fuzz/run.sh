#!/bin/sh
# Runs a fuzzer for TENON_FUZZ_SECONDS (default 10). What it finds is kept beside the program, for the next run.
#
# usage: run.sh PROGRAM [libFuzzer option...] SEED_FOLDER...
set -eu
program=$1
shift
seconds=${TENON_FUZZ_SECONDS:-10}
case $seconds in
'' | 0 | *[!0-9]*)
    echo "run.sh: TENON_FUZZ_SECONDS is '$seconds'; expected a number of seconds, at least 1." >&2
    exit 2
    ;;
esac
if [ ! -x "$program" ]; then
    echo "SKIPPED: $program was not built; it needs Clang with libFuzzer (Debian: clang-16, libclang-rt-16-dev)."
    exit 77
fi
corpus=$program.corpus
failures=$program.failures
mkdir -p "$corpus" "$failures"
if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$failures/" "$corpus" "$@" >"$program.log" 2>&1; then
    tail -n 100 "$program.log"
    echo "The input that failed is in $failures; once mended, keep it as a seed."
    exit 1
fi
grep -E '^(Done|stat::number_of_executed_units)' "$program.log"
