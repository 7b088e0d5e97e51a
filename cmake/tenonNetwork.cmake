# tenon_add_network(target NETWORK type... HEADER file [OPTIONS flag...])
#
# Compiles networks in a file of their own, a static library `target`, so that files that use them only declare them:
#
#     header.hpp    struct Net : tenon::Network<...> {};
#                   TENON_DECLARE_NETWORK(Net);
#     CMake         tenon_add_network(net NETWORK Net HEADER header.hpp OPTIONS -march=native)
#                   target_link_libraries(app PRIVATE net)
#
# The types are given as a program names them outside of all namespaces. The library is optimized whatever the build type is:
# a program that is built without optimization runs its networks at full speed. OPTIONS are for the library and for what links
# with it: files compiled for different instruction sets don't link (see TENON_ISA_NAMESPACE).
function(tenon_add_network target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER" "NETWORK;OPTIONS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NETWORK OR NOT arg_HEADER)
    message(FATAL_ERROR "expected tenon_add_network(target NETWORK type... HEADER file [OPTIONS flag...])")
  endif()
  get_filename_component(header "${arg_HEADER}" ABSOLUTE)
  if(NOT EXISTS "${header}")
    message(FATAL_ERROR "tenon_add_network(${target}): expected the header with TENON_DECLARE_NETWORK, found no file ${header}")
  endif()
  set(definitions "")
  foreach(network IN LISTS arg_NETWORK)
    string(APPEND definitions "TENON_DEFINE_NETWORK(${network});\n")
  endforeach()
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}.network.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "// Written by tenon_add_network().\n#include \"${header}\"\n\n${definitions}" @ONLY)
  add_library(${target} STATIC "${source}")
  target_link_libraries(${target} PUBLIC tenon::tenon)
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Release,RelWithDebInfo>>:-O2> PUBLIC
                         "$<$<COMPILE_LANGUAGE:CXX>:${arg_OPTIONS}>")
endfunction()

# tenon_add_compiled(target [OPTIONS flag...])
#
# A static library with what no network changes, made of the headers: readers of weights files, packing, the drivers of kernels.
# Files that link with it don't compile these. It is optimized whatever the build type is; OPTIONS as above.
function(tenon_add_compiled target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "expected tenon_add_compiled(target [OPTIONS flag...])")
  endif()
  add_library(${target} STATIC EXCLUDE_FROM_ALL "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/tenonCompiled.cpp")
  target_link_libraries(${target} PUBLIC tenon::tenon)
  # Not for what nvcc compiles, which may be for another instruction set.
  target_compile_definitions(${target} INTERFACE $<$<COMPILE_LANGUAGE:CXX>:TENON_COMPILED>)
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Release,RelWithDebInfo>>:-O2> PUBLIC
                         "$<$<COMPILE_LANGUAGE:CXX>:${arg_OPTIONS}>")
endfunction()
