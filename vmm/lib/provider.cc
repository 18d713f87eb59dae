// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/provider.h"

#include <unistd.h>

#include <optional>

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "vmm/lib/step.h"

namespace vmm {
namespace {

std::optional<Step> hook(const Job& job, const std::string& name, const std::string& document) {
  const auto path = remotes_root() / "datastore" / job.ds_mad / name;
  if (access(path.c_str(), X_OK) != 0) return std::nullopt;
  return Step{.driver = {"datastore driver", name, path},
              .args = {std::to_string(job.vm_id), std::to_string(job.datastore_id),
                       std::to_string(job.last_increment_id + 1)},
              .input = document,
              .deadline = step_deadline("HOOK", std::chrono::minutes{5})};
}

}  // namespace

ProviderBackup::ProviderBackup(const Job& job, std::string document)
    : job_{job}, document_{std::move(document)} {
  if (const auto step = hook(job_, "backup_init", document_)) run_step(*step);
}

ProviderBackup::~ProviderBackup() {
  try {
    auto step = hook(job_, "backup_cleanup", document_);
    if (!step) return;
    step->args.emplace_back(good_ ? "SUCCESS" : "FAILURE");
    step->shield = Shield::undo;
    run_step(*step);
  } catch (const std::exception& error) {
    log(Level::error, "backup_cleanup: " + std::string{error.what()});
  }
}

}  // namespace vmm
