# tenon::image, the component that reads image files and compressed data sets. What decodes them is found here, and again in
# cmake/tenonConfig.cmake.in for those who use an installed tenon.

if(PROJECT_IS_TOP_LEVEL)
  find_package(JPEG REQUIRED)
  find_package(PNG REQUIRED)
  find_package(ZLIB REQUIRED)
else()
  find_package(JPEG QUIET)
  find_package(PNG QUIET)
  find_package(ZLIB QUIET)
  if(NOT JPEG_FOUND OR NOT PNG_FOUND OR NOT ZLIB_FOUND)
    message(STATUS "tenon::image is left out: it needs libjpeg, libpng and zlib.")
    return()
  endif()
endif()

add_library(tenon_image INTERFACE)
add_library(tenon::image ALIAS tenon_image)
target_link_libraries(tenon_image INTERFACE tenon JPEG::JPEG PNG::PNG ZLIB::ZLIB)
target_sources(tenon_image INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${TENON_IMAGE_HEADERS})
set_target_properties(tenon_image PROPERTIES EXPORT_NAME image)
tenon_add_webp(tenon_image)
