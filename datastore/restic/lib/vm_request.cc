// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/vm_request.h"

#include "common/error.h"
#include "common/number.h"

namespace restic {
namespace {

std::optional<int> job_id(const std::string& word) {
  if (word == "-" || word == "-1" || word.empty()) return std::nullopt;
  if (const auto id = parse_int(word)) return id;
  throw BadRequest{"the argument JOB_ID is neither a number nor '-'"};
}

XmlNode element(const Request& request, const std::string& name) {
  if (const auto node = request.xml().root().first(name)) return *node;
  throw BadRequest{"the request has no " + name};
}

}  // namespace

VmRequest VmRequest::parse(const Request& request) {
  const auto vm_id = static_cast<int>(request.number("VM_ID"));
  return {.location = Location::parse(request["HOST:DIR"]),
          .vm_id = vm_id,
          .repository_id = restic::repository_id(vm_id, job_id(request["JOB_ID"])),
          .datastore = Datastore{element(request, "DATASTORE")},
          .vm = Vm::parse(element(request, "VM"))};
}

Restic VmRequest::open() const {
  const auto& bridge = vm.backup.last_bridge;
  return {datastore, repository_id, Machine{bridge.empty() ? location.host : bridge}};
}

}  // namespace restic
