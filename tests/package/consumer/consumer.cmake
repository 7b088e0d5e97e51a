# The program of each consumer project, and what must hold for the target it links.
add_executable(consumer ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
target_link_libraries(consumer PRIVATE tenon::tenon)
target_compile_definitions(consumer PRIVATE EXPECTED_VERSION="${EXPECTED_VERSION}")
set_target_properties(consumer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

get_target_property(options tenon::tenon INTERFACE_COMPILE_OPTIONS)
if(options)
  message(FATAL_ERROR "tenon::tenon forces the flags ${options} on its users.")
endif()
if(TARGET tenon_development OR TARGET tenon_test_main OR TARGET classify)
  message(FATAL_ERROR "tenon builds its own programs inside a user's project.")
endif()
