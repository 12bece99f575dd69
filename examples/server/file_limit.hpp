// SPDX-License-Identifier: BSL-1.0
// file_limit: how many files, and therefore connections, the process may have open.
#pragma once

#include <sys/resource.h>
#include <cstddef>

/// Raises the limit as far as the process may. Login shells start with 1,024. Returns the limit.
inline std::size_t raised_file_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
    (void)::getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur;
}
