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

// Of a row of increments, in SQL: it was found damaged, or builds on what was.
inline const std::string damaged_increment =
    "EXISTS (SELECT 1 FROM increments AS below WHERE below.image = increments.image "
    "AND below.id <= increments.id AND below.damage <> '')";

// In SQL: the backups there are that can be restored, as far as is known.  They were made in the
// order of attempts.id; their dates are those of a clock.
inline const std::string good_backups =
    "FROM attempts CROSS JOIN increments ON increments.image = attempts.image AND increments.id = "
    "attempts.increment CROSS JOIN images ON images.id = increments.image WHERE ended IS NOT NULL "
    "AND attempts.error = '' AND state = 'READY' AND NOT " +
    damaged_increment + " ";

void add_increment(SQLite::Database& db, int image, const BackupRecord& backup);
void add_sums(SQLite::Database& db, int image, int increment, const SumsRecord& record);

}  // namespace state
