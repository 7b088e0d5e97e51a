# What tenon's own programs (tests, benchmarks, examples) are compiled with. A user's program gets none of it.

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  find_program(TENON_CCACHE ccache)
  mark_as_advanced(TENON_CCACHE)
  if(TENON_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${TENON_CCACHE})
  endif()
endif()

# Warnings and sanitizers, for every program.
add_library(tenon_development INTERFACE)
target_link_libraries(tenon_development INTERFACE tenon::tenon)
# nvcc has warnings of its own.
function(tenon_development_options)
  foreach(option IN LISTS ARGN)
    target_compile_options(tenon_development INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${option}>)
  endforeach()
endfunction()
# What is switched off here is for tests and benchmarks alone: compiles.user checks that the headers are clean of it, and
# examples have it.
tenon_development_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Of Clang's -Wconversion, not of GCC's: said there too, it would take back what the examples ask for.
  tenon_development_options(-Wno-sign-conversion)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 warns of overlapping copies inside std::string's operator+ (its bug 105651).
  tenon_development_options(-Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC starts to collect garbage at 128 MB, over and over in files of our size. With memory to spare it compiles them in 0.8 of
  # the time: tests/backend/cpu for AVX2, 89.5 s of processor time and 1.2 GB before, 71.2 s and 2.1 GB with
  # collection from 4 GB on. tests/backend/cuda then took 7.5 GB, so it is 2 GB at most, and half of each core's part of the memory.
  cmake_host_system_information(RESULT memory QUERY TOTAL_PHYSICAL_MEMORY)
  cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
  math(EXPR collect_from "${memory} * 1024 / (2 * ${cores})") # kB
  if(collect_from GREATER 2000000)
    set(collect_from 2000000)
  endif()
  if(collect_from GREATER 256000)
    set(TENON_GCC_MEMORY --param=ggc-min-heapsize=${collect_from})
    tenon_development_options(${TENON_GCC_MEMORY})
  endif()
endif()
if(TENON_WARNINGS_AS_ERRORS)
  tenon_development_options(-Werror)
  target_compile_options(tenon_development INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
endif()
if(TENON_SANITIZE)
  string(REPLACE ";" "," sanitizers "${TENON_SANITIZE}")
  tenon_development_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(tenon_development INTERFACE -fsanitize=${sanitizers})
endif()

# The same and, with TENON_NATIVE, this machine's instruction set: for examples, benchmarks and tests that aren't built for
# several instruction sets.
add_library(tenon_program INTERFACE)
target_link_libraries(tenon_program INTERFACE tenon_development)
if(TENON_NATIVE)
  target_compile_options(tenon_program INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()

# What no network changes, compiled once for the examples. Tests and benchmarks compile it themselves, as users' programs do by
# default; package.network_apart tests the library.
tenon_add_compiled(tenon_compiled_program)
target_link_libraries(tenon_compiled_program PRIVATE tenon_program)

# A program for devices goes, under a name, into the folder device_programs, with the one library that it loads and a machine
# with a device may lack.
function(tenon_device_program target name)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/device_programs
                                             BUILD_RPATH "$ORIGIN")
  add_custom_command(
    TARGET ${target}
    POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E copy_if_different $<TARGET_FILE:TBB::tbb>
            $<TARGET_FILE_DIR:${target}>/$<TARGET_SONAME_FILE_NAME:TBB::tbb>
    VERBATIM)
endfunction()
