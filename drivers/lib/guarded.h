// SPDX-License-Identifier: Apache-2.0
// Errors of SQLite as errors of ours.
#pragma once

#include <SQLiteCpp/Exception.h>

#include <filesystem>

#include "common/error.h"

namespace state {

// It names the file, and says that its file system is full where SQLite only knows of an I/O error.
Error failure_of(const std::filesystem::path& file, const SQLite::Exception& error);

// What `work` returns; an SQLite exception becomes failure_of() it.
template <class Work>
auto guarded(const std::filesystem::path& file, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw failure_of(file, error);
  }
}

}  // namespace state
