# The doors: what a program includes. Every other header belongs to a room that they open and says on its second line which
# door exports it (checked by the test architecture.doors). All headers are installed.

set(TENON_DOORS
    include/tenon/cuda.hpp
    include/tenon/data.hpp
    include/tenon/distributed.hpp
    include/tenon/inference.hpp
    include/tenon/network.hpp
    include/tenon/report.hpp
    include/tenon/tenon.hpp
    include/tenon/training.hpp
)

# The doors of the component tenon::image, and the rooms that they open and that need its libraries.
set(TENON_IMAGE_DOORS include/tenon/image.hpp include/tenon/image_file.hpp)
set(TENON_IMAGE_ROOMS include/tenon/data/archives include/tenon/image/codecs)

# The component tenon::mpi: its door, and the one header that needs an MPI.
set(TENON_MPI_HEADERS include/tenon/mpi.hpp include/tenon/distributed/mpi.hpp)

file(GLOB_RECURSE TENON_HEADERS CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_LIST_DIR}/.. ${CMAKE_CURRENT_LIST_DIR}/../include/*.hpp)
list(TRANSFORM TENON_HEADERS REPLACE "^.*/include/" "include/")
set(TENON_IMAGE_HEADERS ${TENON_IMAGE_DOORS})
foreach(room IN LISTS TENON_IMAGE_ROOMS)
  set(headers ${TENON_HEADERS})
  list(FILTER headers INCLUDE REGEX "^${room}/")
  list(APPEND TENON_IMAGE_HEADERS ${headers})
endforeach()
list(REMOVE_ITEM TENON_HEADERS ${TENON_IMAGE_HEADERS} ${TENON_MPI_HEADERS})
