# What projects that use tenon::cuda need, whether tenon is a subdirectory or installed: the toolkit, and the files that nvcc
# compiles.

# Looks for nvcc and CUDA's runtime. Sets TENON_CUDA_FOUND, and TENON_CUDA_MISSING to a sentence if it is false. A macro, as
# a language is enabled for the caller's folder.
macro(tenon_find_cuda)
  set(TENON_CUDA_FOUND FALSE)
  include(CheckLanguage)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
    # The oldest devices with all that the kernels use, and code that newer ones compile.
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
  endif()
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(TENON_CUDA_MISSING "nvcc was not found; CUDACXX or CMAKE_CUDA_COMPILER can say where it is.")
  else()
    enable_language(CUDA)
    find_package(CUDAToolkit 12.0 QUIET)
    if(TARGET CUDA::cudart_static)
      set(TENON_CUDA_FOUND TRUE)
    else()
      set(TENON_CUDA_MISSING "the toolkit of ${CMAKE_CUDA_COMPILER} has no static runtime library.")
    endif()
  endif()
endmacro()

# Looks for cuDNN 9's headers, which the toolkit lacks: beside it, or where NVIDIA's packages for Python put them. Sets
# TENON_CUDNN_INCLUDE_DIR in the cache, and to a false value if there are none. The library is looked for when a program runs.
function(tenon_find_cudnn)
  find_path(
    TENON_CUDNN_INCLUDE_DIR cudnn_graph.h
    HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDNN_PATH
    PATHS /usr/local/cuda /usr/local/cuda/include
    PATH_SUFFIXES include nvidia/cudnn/include
    DOC "The folder of cuDNN 9's headers; empty: the backend Cuda does without cuDNN")
  mark_as_advanced(TENON_CUDNN_INCLUDE_DIR)
endfunction()

# Defines tenon::cuda over tenon::tenon.
function(tenon_add_cuda_target)
  add_library(tenon_cuda INTERFACE)
  add_library(tenon::cuda ALIAS tenon_cuda)
  target_link_libraries(tenon_cuda INTERFACE tenon::tenon CUDA::cudart_static ${CMAKE_DL_LIBS})
  tenon_find_cudnn()
  if(TENON_CUDNN_INCLUDE_DIR)
    target_include_directories(tenon_cuda SYSTEM INTERFACE ${TENON_CUDNN_INCLUDE_DIR})
    target_compile_definitions(tenon_cuda INTERFACE TENON_CUDNN)
  endif()
  # CMake 3.25 doesn't know how to ask nvcc 13 for C++20.
  target_compile_options(tenon_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
endfunction()

# tenon_instantiate_cuda(target HEADER header NETWORKS network... [PRECISIONS precision...] [TRAINING])
#
# Adds a .cu file to a target that defines Model<network, Cuda>, or Model<network, CudaWith<precision>> for each precision
# (float32, tensor_float32, bfloat16, float16; default: float32), with TRAINING also Trainer<network, ...>. `header` declares
# the networks, for #include <header>.
function(tenon_instantiate_cuda target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TRAINING" "HEADER" "NETWORKS;PRECISIONS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_HEADER OR NOT arg_NETWORKS)
    message(FATAL_ERROR "tenon_instantiate_cuda(target HEADER header NETWORKS network... [PRECISIONS precision...] [TRAINING])")
  endif()
  if(NOT arg_PRECISIONS)
    set(arg_PRECISIONS float32)
  endif()
  set(text "#include <tenon/cuda.hpp>\n")
  string(APPEND text "\n#include <${arg_HEADER}>\n\n")
  foreach(network IN LISTS arg_NETWORKS)
    foreach(precision IN LISTS arg_PRECISIONS)
      string(APPEND text "template class tenon::cuda::Engine<${network}, tenon::Precision::${precision}>;\n")
      if(arg_TRAINING)
        string(APPEND text "template class tenon::cuda::TrainingDevice<${network}, tenon::Precision::${precision}>;\n")
      endif()
    endforeach()
  endforeach()
  string(MD5 name "${arg_HEADER} ${arg_NETWORKS} ${arg_PRECISIONS} ${arg_TRAINING}")
  set(file ${CMAKE_CURRENT_BINARY_DIR}/${target}_${name}.cu)
  file(GENERATE OUTPUT ${file} CONTENT "${text}")
  target_sources(${target} PRIVATE ${file})
endfunction()
