// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/upload.h"

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/one/limits.h"
#include "common/one/log_line.h"
#include "common/one/progress.h"
#include "datastore/rsync/lib/partial_name.h"

using nlohmann::json;

namespace rsync {
namespace {

std::string request_line(const Store& store, const Cargo& cargo, const std::string& name) {
  const auto& settings = store.settings();
  json files = json::array();
  for (const auto& file : cargo.selection.names)
    files.push_back({{"name", file}, {"size", cargo.selection.sizes.at(file)}});
  const json request{{"directory", cargo.directory.string()},
                     {"files", files},
                     {"host", settings.target.host},
                     {"user", settings.target.user},
                     {"base", settings.base.string()},
                     {"vm", cargo.vm},
                     {"name", name},
                     {"owner", store.server().empty() ? owner_of_uploads() : ""},
                     {"args", settings.args},
                     {"transport", settings.transport},
                     {"channels", settings.channels},
                     {"server", {{"argv", store.server()}}}};
  return base64_encode(request.dump(-1, ' ', false, json::error_handler_t::replace)) + "\n";
}

RunRequest run_request(const Store& store, const Cargo& cargo, const std::string& name) {
  RunRequest request{.argv = {cargo.machine.program("datastore/rsync/send")},
                     .env = {},
                     .list = {},
                     .lines = true,
                     .view = cargo.directory.string(),
                     .input = request_line(store, cargo, name)};
  const auto& settings = store.settings();
  // The directory itself may be a view, which is on no disk.
  if (settings.limits.any())
    request.order = {.group = group_of(settings.datastore_id),
                     .limits = settings.limits,
                     .directory = cargo.directory.parent_path()};
  return request;
}

}  // namespace

void upload(const Store& store, const Cargo& cargo, const std::string& name) {
  Progress progress{"upload", cargo.selection.bytes};
  std::string stored;
  auto call = cargo.machine.command(run_request(store, cargo, name));
  const auto finished =
      call.out_lines([&](std::string_view line) {
            const auto said = json::parse(line, nullptr, false);
            if (!said.is_object()) return;
            if (const auto done = said.find("done");
                done != said.end() && done->is_number_unsigned())
              progress.at(done->get<std::uint64_t>());
            if (const auto it = said.find("stored"); it != said.end() && it->is_string())
              stored = it->get<std::string>();
          })
          .err_lines(pass_log_line)
          .run();
  const auto why = last_plain_line(finished.err);
  if (!finished.ok())
    throw Error{"cannot store '" + cargo.directory.string() + "' on " +
                store.settings().target.name() + ": " +
                (why.empty() ? ended("the upload", finished.status) : why)};
  if (stored != name)
    throw Error{"'" + cargo.directory.string() + "' is not stored: the upload did not say so"};
  progress.at(cargo.selection.bytes);
}

}  // namespace rsync
