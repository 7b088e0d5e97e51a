#!/bin/sh
# Stands for the tests on a device where they were not built.
echo "SKIPPED: the tests on a device are built with -DTENON_CUDA=ON (scripts/gpu_check)."
[ "${TENON_REQUIRE_GPU:-}" = 1 ] && exit 1
exit 77
