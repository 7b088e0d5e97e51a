# tenon::cuda, the component that runs networks on GPUs. An installed tenon defines it in cmake/tenonConfig.cmake.in.

include(${CMAKE_CURRENT_LIST_DIR}/tenonCuda.cmake)
tenon_find_cuda()
if(NOT TENON_CUDA_FOUND)
  message(FATAL_ERROR "TENON_CUDA=ON: ${TENON_CUDA_MISSING}")
endif()
tenon_add_cuda_target()
