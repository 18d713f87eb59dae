// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/stock_steps.h"

#include <csignal>
#include <filesystem>
#include <optional>

#include "common/error.h"
#include "common/process.h"

namespace fs = std::filesystem;

namespace datastore {
namespace {

constexpr std::string_view interpreter = "ruby";

// tm/<driver>/prebackup, tm/<driver>/prebackup_live or datastore/<driver>/backup.
bool is_step(const fs::path& script) {
  const std::string action = script.filename();
  const std::string layer = script.parent_path().parent_path().filename();
  return layer == "tm" ? action == "prebackup" || action == "prebackup_live"
                       : layer == "datastore" && action == "backup";
}

std::optional<Location> location(const std::string& word) try {
  return Location::parse(word);
} catch (const BadRequest&) {
  return std::nullopt;
}

}  // namespace

bool is_stock_step(const std::vector<std::string>& argv, const Deployed& vm) {
  // ruby SCRIPT HOST:DIR DISKS DEPLOY_ID JOB VM_ID DATASTORE_ID; OpenNebula 6.6 had no JOB.
  if (argv.size() != 8 && argv.size() != 7) return false;
  if (!fs::path{argv[0]}.filename().string().starts_with(interpreter) || !is_step(argv[1]))
    return false;
  const auto where = location(argv[2]);
  return where && where->host == vm.location.host && where->dir == vm.location.dir &&
         argv[4] == vm.deploy_id && argv[argv.size() - 2] == std::to_string(vm.vm_id);
}

int stop_stock_steps(const Deployed& vm) {
  int count = 0;
  for (const pid_t pid : all_processes()) {
    const auto process = Process::living(pid);
    if (!process || !process->name().starts_with(interpreter)) continue;
    if (is_stock_step(process->arguments(), vm) && process->signal(SIGTERM)) ++count;
  }
  return count;
}

}  // namespace datastore
