// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/discard.h"

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/core.h"
#include "vmm/lib/step.h"

namespace vmm {
namespace {

// The secrets of another datastore than the one of now are not in our request.
std::string document(const Job& job, const Job& here, const XmlNode& message) {
  if (job.datastore_id == here.datastore_id) return datastore_document(message);
  return datastore_document(datastore_document_from_core(job.datastore_id).root(), message);
}

std::string what(const Upload& upload, const Job& job) {
  const auto id = upload.reply.substr(0, upload.reply.find(' '));
  return (id.empty() ? "what an interrupted backup" : "'" + id + "', which an interrupted backup") +
         std::string{" of VM "} + std::to_string(job.vm_id) + " stored in datastore " +
         std::to_string(job.datastore_id);
}

}  // namespace

void discard(const Upload& upload, const Job& job, const Job& here, const XmlNode& message) try {
  if (upload.run.empty()) return;
  run_step({.driver = datastore_driver(job.ds_mad, "discard"),
            .args = {here.words[0], upload.run, job.words[3], std::to_string(job.vm_id)},
            .input = document(job, here, message),
            .deadline = step_deadline("DISCARD", std::chrono::minutes{10}),
            .shield = cancel::requested() ? Shield::undo : Shield::none});
} catch (const Cancelled&) {
  throw;
} catch (const Error& e) {
  log(Level::warn, "cannot remove " + what(upload, job) + ", if anything: " + e.what());
}

}  // namespace vmm
