# tenon::mpi, the component with which processes on one machine or many train together. It needs an MPI, Open MPI or MPICH;
# which one, CMake's FindMPI decides (MPI_HOME or MPI_CXX_COMPILER choose another).

set(MPI_CXX_SKIP_MPICXX ON) # C++ bindings of old, which no standard has any more
find_package(MPI QUIET COMPONENTS CXX)
if(NOT MPI_CXX_FOUND)
  message(STATUS "tenon::mpi is left out: it needs an MPI, such as Debian's libopenmpi-dev and openmpi-bin.")
  return()
endif()

add_library(tenon_mpi INTERFACE)
add_library(tenon::mpi ALIAS tenon_mpi)
target_link_libraries(tenon_mpi INTERFACE tenon MPI::MPI_CXX)
target_sources(tenon_mpi INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${TENON_MPI_HEADERS})
set_target_properties(tenon_mpi PROPERTIES EXPORT_NAME mpi VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
