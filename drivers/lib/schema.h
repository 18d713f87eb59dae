// SPDX-License-Identifier: Apache-2.0
// The tables of the state file, and how an older file becomes a present one.
#pragma once

#include <SQLiteCpp/Database.h>

namespace state {

inline constexpr int first_vm_id = 1'000'000;

// The version that this program reads and writes (SQLite's user_version).
int schema_version();

// Brings `db` to schema_version(), or to `target`, step by step in one transaction.  Throws an
// Error when the file comes from a newer program.  The caller keeps others out.
void migrate(SQLite::Database& db, int target = schema_version());

}  // namespace state
