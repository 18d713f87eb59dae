// SPDX-License-Identifier: Apache-2.0
// Errors of SQLite as errors of ours.
#pragma once

#include <SQLiteCpp/Exception.h>

#include <filesystem>

#include "common/error.h"

namespace state {

// What `work` returns; an SQLite exception becomes an Error that names the file.
template <class Work>
auto guarded(const std::filesystem::path& file, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw Error{"the state file '" + file.string() + "': " + one_line(error.what())};
  }
}

}  // namespace state
