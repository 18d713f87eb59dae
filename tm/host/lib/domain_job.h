// SPDX-License-Identifier: Apache-2.0
// What libvirt does with a domain: one job at a time, and who asks for another one waits.
#pragma once

#include <optional>

#include "tm/host/lib/hypervisor.h"

namespace host {

// The job that the domain runs (virDomainJobOperation), whoever began it; nullopt: none.
std::optional<int> job_of(const Domain& domain);
bool has_backup_job(const Domain& domain);

// The domain is being migrated, saved, ...
struct Busy : Error {
  using Error::Error;
};

// Throws Busy while the domain runs a job, whoever began it.  Its guest could be frozen all the
// same, and a backup job would wait: where a migration ends meanwhile, the guest stands still on
// another host, where nobody sets it free.
void insist_on_no_job(const Domain& domain, int vm_id);

}  // namespace host
