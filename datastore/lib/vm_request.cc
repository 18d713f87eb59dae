// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/vm_request.h"

#include "common/error.h"
#include "common/number.h"

namespace {

std::optional<int> parse_job_id(const std::string& word) {
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
  return {.location = Location::parse(request["HOST:DIR"]),
          .vm_id = static_cast<int>(request.number("VM_ID")),
          .job_id = parse_job_id(request["JOB_ID"]),
          .datastore = Datastore{element(request, "DATASTORE")},
          .vm = Vm::parse(element(request, "VM"))};
}

Machine VmRequest::machine() const {
  const auto& bridge = vm.backup.last_bridge;
  return Machine{bridge.empty() ? location.host : bridge};
}
