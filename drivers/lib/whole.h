// SPDX-License-Identifier: Apache-2.0
// A change of the state file that is whole or not there.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include <optional>

namespace state {

// A transaction; within another one a part of that, which ends with it.
class Whole {
 public:
  explicit Whole(SQLite::Database& db) {
    if (sqlite3_get_autocommit(db.getHandle()) != 0)
      own_.emplace(db, SQLite::TransactionBehavior::IMMEDIATE);
  }
  void commit() {
    if (own_) own_->commit();
  }

 private:
  std::optional<SQLite::Transaction> own_;
};

}  // namespace state
