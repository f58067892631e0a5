# Package files for find_package(vit) and pkg-config. Libraries, headers and
# tools are installed where they are defined (runtime/, lib/, tools/).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vit)

if(VIT_COMPILER)
  # Only its C interface: LLVM's headers are not part of the package.
  install(TARGETS vit-compiler EXPORT vitTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES include/vit/Compiler.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vit)
endif()

install(EXPORT vitTargets NAMESPACE vit:: DESTINATION ${package_dir})
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/vitConfig.cmake.in
  ${PROJECT_BINARY_DIR}/vitConfig.cmake
  INSTALL_DESTINATION ${package_dir})
# 0.x: minor versions may be incompatible.
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/vitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/vitConfig.cmake
  ${PROJECT_BINARY_DIR}/vitConfigVersion.cmake
  DESTINATION ${package_dir})

# Relative to the file itself, so that an installed tree can be moved.
file(RELATIVE_PATH VIT_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" VIT_PC_UP "${VIT_PC_UP}")
configure_file(cmake/vit-data.pc.in vit-data.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/vit-data.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
