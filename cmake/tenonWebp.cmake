# tenon_add_webp(target)
#
# Lets the target of tenon::image read WebP files where libwebp is found, unless TENON_WEBP is OFF. What it links with isn't
# installed with the target: the machine of an installed tenon's user has libwebp or not.
function(tenon_add_webp target)
  if(DEFINED TENON_WEBP AND NOT TENON_WEBP)
    return()
  endif()
  find_path(TENON_WEBP_INCLUDE webp/decode.h)
  find_library(TENON_WEBP_LIBRARY webp)
  mark_as_advanced(TENON_WEBP_INCLUDE TENON_WEBP_LIBRARY)
  if(TENON_WEBP_INCLUDE AND TENON_WEBP_LIBRARY)
    target_include_directories(${target} SYSTEM INTERFACE $<BUILD_INTERFACE:${TENON_WEBP_INCLUDE}>)
    target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:${TENON_WEBP_LIBRARY}>)
    target_compile_definitions(${target} INTERFACE $<BUILD_INTERFACE:TENON_WEBP>)
  else()
    message(STATUS "tenon::image reads no WebP files: that needs libwebp (Debian: libwebp-dev).")
  endif()
endfunction()
