# The version has one source: include/tenon/version.hpp.

# Sets `variable` to MAJOR.MINOR.PATCH and has CMake run again when the header changes.
function(tenon_read_version variable)
  set(header ${CMAKE_CURRENT_SOURCE_DIR}/include/tenon/version.hpp)
  file(READ ${header} text)
  set(numbers "")
  foreach(part MAJOR MINOR PATCH)
    if(NOT text MATCHES "#define TENON_VERSION_${part} ([0-9]+)")
      message(FATAL_ERROR "${header} doesn't define TENON_VERSION_${part}.")
    endif()
    list(APPEND numbers ${CMAKE_MATCH_1})
  endforeach()
  list(JOIN numbers "." version)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  set(${variable} ${version} PARENT_SCOPE)
endfunction()
