set(VCPKG_BUILD_TYPE release) # header-only: a debug build would be the same

# To try a checkout, offer its archive as an asset source. SHA512 is then that of the archive.
vcpkg_from_github(OUT_SOURCE_PATH SOURCE_PATH REPO fixpool/fixpool REF "v${VERSION}" SHA512 0 HEAD_REF main)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS -DFIXPOOL_BUILD_TESTS=OFF -DFIXPOOL_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/fixpool)
vcpkg_fixup_pkgconfig()

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
