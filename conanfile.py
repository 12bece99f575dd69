# SPDX-License-Identifier: BSL-1.0
from pathlib import Path
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class FixpoolConan(ConanFile):
    name = "fixpool"
    description = "Fixed-size memory pools that catch misuse"
    license = "BSL-1.0"
    homepage = "https://github.com/fixpool/fixpool"
    url = homepage
    topics = ("memory-pool", "allocator", "header-only", "real-time", "embedded")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    exports = "include/fixpool/version.hpp"
    exports_sources = "include/*.hpp", "cmake/gdb/fixpool.py", "LICENSE"
    no_copy_source = True

    def set_version(self):
        header = Path(self.recipe_folder, "include", "fixpool", "version.hpp").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"#define FIXPOOL_VERSION_[A-Z]+ (\d+)", header))

    def layout(self):
        basic_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, Path(self.package_folder, "licenses"))
        copy(self, "*.hpp", Path(self.source_folder, "include"), Path(self.package_folder, "include"))
        copy(self, "fixpool.py", Path(self.source_folder, "cmake", "gdb"), Path(self.package_folder, "res", "gdb"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.resdirs = ["res"]  # GDB's printers
        self.cpp_info.set_property("cmake_file_name", "fixpool")
        self.cpp_info.set_property("cmake_target_name", "fixpool::fixpool")
        self.cpp_info.set_property("pkg_config_name", "fixpool")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
