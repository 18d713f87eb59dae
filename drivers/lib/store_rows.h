// SPDX-License-Identifier: Apache-2.0
// What several parts of the store read and write: for them alone.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <optional>
#include <string>

#include "drivers/lib/records.h"

namespace state {

inline std::string text(Mode mode) { return mode == Mode::full ? "FULL" : "INCREMENT"; }
inline Mode mode_of(const std::string& word) {
  return word == "FULL" ? Mode::full : Mode::increment;
}

inline std::optional<int> number_or_null(const SQLite::Column& column) {
  return column.isNull() ? std::nullopt : std::optional{column.getInt()};
}

void add_increment(SQLite::Database& db, int image, const BackupRecord& backup);

}  // namespace state
