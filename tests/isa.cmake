# The instruction sets that tests are compiled for, by the names of include/tenon/core/isa.hpp.

set(TENON_ISA_FLAGS_generic "")
set(TENON_ISA_FLAGS_avx2 -mavx2 -mfma)
set(TENON_ISA_FLAGS_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma)
set(TENON_ISA_FLAGS_avx512vnni ${TENON_ISA_FLAGS_avx512} -mavx512vnni)
set(TENON_ISA_FLAGS_avx512bf16 ${TENON_ISA_FLAGS_avx512vnni} -mavx512bf16)

set(TENON_ISA_CHECK_avx2 "__builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\")")
set(TENON_ISA_CHECK_avx512
    "__builtin_cpu_supports(\"avx512f\") && __builtin_cpu_supports(\"avx512dq\") && __builtin_cpu_supports(\"avx512bw\") && __builtin_cpu_supports(\"avx512vl\")"
)

set(TENON_ISA_CHECK_avx512bf16
    "${TENON_ISA_CHECK_avx512} && __builtin_cpu_supports(\"avx512vnni\") && __builtin_cpu_supports(\"avx512bf16\")")

foreach(isa avx2 avx512 avx512bf16)
  add_library(tenon_isa_guard_${isa} OBJECT ${CMAKE_CURRENT_LIST_DIR}/isa_guard.cpp)
  target_compile_definitions(tenon_isa_guard_${isa} PRIVATE TENON_TEST_ISA="${isa}"
                                                            "TENON_TEST_CPU_HAS_ISA=(${TENON_ISA_CHECK_${isa}})")
  # TENON_MACHINE_LACKS_isa: asked each time, as a build folder may have come from another machine.
  set(source ${CMAKE_CURRENT_BINARY_DIR}/has_${isa}.cpp)
  file(WRITE ${source} "int main() { return (${TENON_ISA_CHECK_${isa}}) ? 0 : 1; }\n")
  try_run(status_${isa} compiled_${isa} ${CMAKE_CURRENT_BINARY_DIR}/has_${isa} ${source})
  if(compiled_${isa} AND status_${isa} EQUAL 1)
    set(TENON_MACHINE_LACKS_${isa} TRUE)
  else()
    set(TENON_MACHINE_LACKS_${isa} FALSE)
  endif()
  unset(status_${isa} CACHE)
  unset(compiled_${isa} CACHE)
endforeach()

# Compiles the files of a program for an instruction set and has it exit with 77 where the machine lacks the set.
function(tenon_compile_for_isa target isa)
  if(NOT DEFINED TENON_ISA_FLAGS_${isa})
    message(FATAL_ERROR "Unknown instruction set ${isa}; known are generic, avx2, avx512 and avx512bf16.")
  endif()
  target_compile_options(${target} PRIVATE ${TENON_ISA_FLAGS_${isa}})
  target_compile_definitions(${target} PRIVATE TENON_TEST_ISA="${isa}")
  if(TARGET tenon_isa_guard_${isa})
    target_link_libraries(${target} PRIVATE tenon_isa_guard_${isa})
  endif()
endfunction()
