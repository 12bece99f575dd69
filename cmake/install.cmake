# Installs the headers, a CMake package, a pkg-config file and printers for GDB. They do not depend on where they lie, so the
# tree can be moved. Only the module's library depends on the processor, so one tree serves 32-bit and 64-bit programs.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/fixpool")

install(DIRECTORY include/fixpool DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS fixpool EXPORT fixpool-targets)
install(EXPORT fixpool-targets NAMESPACE fixpool:: DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/fixpool-config-version.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES cmake/fixpool-config.cmake "${CMAKE_CURRENT_BINARY_DIR}/fixpool-config-version.cmake" DESTINATION "${package_dir}")

# pkg-config finds the headers relative to its own file.
file(RELATIVE_PATH prefix "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH includedir "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file(cmake/fixpool.pc.in fixpool.pc @ONLY)
install(FILES cmake/gdb/fixpool.py DESTINATION "${CMAKE_INSTALL_DATADIR}/fixpool/gdb")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/fixpool.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
