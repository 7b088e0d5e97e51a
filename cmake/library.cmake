# tenon::tenon, the library. Nothing here adds a flag, an optimisation or a warning to a user's program.

find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(TBB 2021 REQUIRED CONFIG)

add_library(tenon INTERFACE)
add_library(tenon::tenon ALIAS tenon)
target_compile_features(tenon INTERFACE cxx_std_20)
target_link_libraries(tenon INTERFACE Eigen3::Eigen TBB::tbb)
target_sources(tenon INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${TENON_HEADERS})
