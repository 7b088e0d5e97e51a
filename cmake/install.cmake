# Installs the headers, a CMake package (find_package(tenon COMPONENTS image mpi)) and pkg-config files. tenon holds no machine
# code, so all of it goes under share/.

include(CMakePackageConfigHelpers)
set(TENON_PACKAGE_DIR ${CMAKE_INSTALL_DATAROOTDIR}/cmake/tenon)

install(TARGETS tenon EXPORT tenonTargets FILE_SET HEADERS)
install(EXPORT tenonTargets NAMESPACE tenon:: DESTINATION ${TENON_PACKAGE_DIR})
if(TARGET tenon_image)
  install(TARGETS tenon_image EXPORT tenonImageTargets FILE_SET HEADERS)
  install(EXPORT tenonImageTargets NAMESPACE tenon:: DESTINATION ${TENON_PACKAGE_DIR})
endif()

if(TARGET tenon_mpi)
  install(TARGETS tenon_mpi EXPORT tenonMpiTargets FILE_SET HEADERS)
  install(EXPORT tenonMpiTargets NAMESPACE tenon:: DESTINATION ${TENON_PACKAGE_DIR})
endif()

configure_package_config_file(
  cmake/tenonConfig.cmake.in ${PROJECT_BINARY_DIR}/tenonConfig.cmake
  INSTALL_DESTINATION ${TENON_PACKAGE_DIR}
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
  COMPATIBILITY SameMinorVersion
  ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/tenonConfig.cmake ${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/tenonCuda.cmake ${PROJECT_SOURCE_DIR}/cmake/tenonNetwork.cmake ${PROJECT_SOURCE_DIR}/cmake/tenonCompiled.cpp
              ${PROJECT_SOURCE_DIR}/cmake/tenonWebp.cmake
        DESTINATION ${TENON_PACKAGE_DIR})

configure_file(cmake/tenon.pc.in ${PROJECT_BINARY_DIR}/tenon.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tenon.pc DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/pkgconfig)
if(TARGET tenon_image)
  set(TENON_IMAGE_WEBP_REQUIRES "")
  set(TENON_IMAGE_WEBP_FLAGS "")
  get_target_property(definitions tenon_image INTERFACE_COMPILE_DEFINITIONS)
  if(definitions MATCHES TENON_WEBP)
    set(TENON_IMAGE_WEBP_REQUIRES " libwebp")
    set(TENON_IMAGE_WEBP_FLAGS "Cflags: -DTENON_WEBP\n")
  endif()
  configure_file(cmake/tenon-image.pc.in ${PROJECT_BINARY_DIR}/tenon-image.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/tenon-image.pc DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/pkgconfig)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
