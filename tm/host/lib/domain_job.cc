// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/domain_job.h"

#include <libvirt/virterror.h>

namespace host {
namespace {

std::string words_for(int job) {
  switch (job) {
    case VIR_DOMAIN_JOB_OPERATION_BACKUP:
      return "runs a backup job that another tool began";
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
      return "is being migrated";
    case VIR_DOMAIN_JOB_OPERATION_SAVE:
      return "is being saved";
    case VIR_DOMAIN_JOB_OPERATION_DUMP:
      return "is being dumped";
    default:
      return "is busy with another job of libvirt";
  }
}

}  // namespace

std::optional<int> job_of(const Domain& domain) {
  int type = VIR_DOMAIN_JOB_NONE;
  virTypedParameterPtr list = nullptr;
  int count = 0;
  if (virDomainGetJobStats(domain.get(), &type, &list, &count, 0) != 0) {
    const VirtError error{"ask for a domain's job"};
    if (error.code() == VIR_ERR_NO_SUPPORT) return std::nullopt;  // a hypervisor without jobs
    throw error;
  }
  int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
  virTypedParamsGetInt(list, count, VIR_DOMAIN_JOB_OPERATION, &operation);
  virTypedParamsFree(list, count);
  if (type == VIR_DOMAIN_JOB_NONE) return std::nullopt;
  return operation;
}

bool has_backup_job(const Domain& domain) {
  return job_of(domain) == VIR_DOMAIN_JOB_OPERATION_BACKUP;
}

void insist_on_no_job(const Domain& domain, int vm_id) {
  if (const auto job = job_of(domain))
    throw Busy{"VM " + std::to_string(vm_id) + " " + words_for(*job) + ": that must end first"};
}

}  // namespace host
