// SPDX-License-Identifier: Apache-2.0
// What a datastore's driver may say of itself, and want to do around a backup job
// (share/doc/providers.md).
#pragma once

#include <string>
#include <vector>

#include "drivers/lib/home.h"
#include "drivers/lib/store.h"

namespace state {

struct Capabilities {
  bool increments = true;
};
// What its `capabilities` prints; of one that has none, all.  Error for an answer that is none.
Capabilities capabilities(const Home& home, const DatastoreRecord& datastore);

// Before the first backup of each execution of the machine's job: job_init, once.  Nothing happens
// for a machine in no job.  Throws what went wrong.
void begin_job_of(const Store& store, const Home& home, int vm, int datastore);
// After the last one: job_cleanup, if the job has begun.
void end_job(const Home& home, int job);
std::vector<int> begun_jobs(const Home& home);

}  // namespace state
