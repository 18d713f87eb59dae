// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/objects.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "common/command.h"
#include "common/error.h"
#include "common/number.h"
#include "drivers/cli/lib/display.h"
#include "drivers/lib/answers.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

constexpr std::chrono::seconds patience{120};

std::string pool_of_state(App& app, Kind kind) {
  const state::Answers answers{app.store(), app.home()};
  switch (kind) {
    case Kind::vm:
      return answers.vms({});
    case Kind::image:
      return answers.images({});
    case Kind::datastore:
      return answers.datastores();
    case Kind::host:
      return answers.hosts();
    case Kind::job:
      return answers.jobs({});
    case Kind::user:
      break;
  }
  return answers.users();
}

std::optional<std::string> object_of_state(App& app, Kind kind, int id) {
  const state::Answers answers{app.store(), app.home()};
  switch (kind) {
    case Kind::vm:
      return answers.vm(id);
    case Kind::image:
      return answers.image(id);
    case Kind::datastore:
      return answers.datastore(id, false);
    case Kind::host:
      return answers.host(id);
    case Kind::job:
      return answers.job(id);
    case Kind::user:
      break;
  }
  return answers.user(id);
}

Error none_such(Kind kind, const std::string& which) {
  const std::string word = info(kind).word;
  return Error{"there is no " + word + " " + which + " ('vmvault " + word +
               " list' shows what there is)"};
}

// Installed beside us, or, where we were built, beside our directory.
fs::path service_program() {
  const auto here = fs::read_symlink("/proc/self/exe").parent_path();
  const auto beside = here / "vmvaultd";
  return fs::is_regular_file(beside) ? beside : here.parent_path() / "vmvaultd/vmvaultd";
}

}  // namespace

std::string queue_text(Context& with) {
  if (const auto* service = with.running_service())
    return service->text("one.vmvault.queue", {}, patience);
  note("no service answers here: nothing of this begins");
  const auto finished = Command{service_program().string(), "--queue"}
                            .env("VMVAULT_VAR", with.app().home().var().string())
                            .run();
  insist(finished, "cannot find out what waits");
  return finished.out;
}

std::string pool_xml(Context& with, Kind kind) {
  if (with.reads_state()) return pool_of_state(with.app(), kind);
  return with.service().text(info(kind).pool_info, info(kind).pool_arguments, patience);
}

int object_id(Context& with, Kind kind, const std::string& word) {
  if (const auto id = parse_int(word, 0)) return *id;
  const Xml pool{pool_xml(with, kind)};
  std::vector<std::string> found;
  for (const auto& one : Element{pool}.children(info(kind).element))
    if (one.text("NAME") == word) found.push_back(one.text("ID"));
  if (found.empty()) throw none_such(kind, "'" + one_line(word) + "'");
  if (found.size() > 1) {
    std::string all;
    for (const auto& one : found) all += (all.empty() ? "" : ", ") + one;
    throw BadRequest{"several are called '" + one_line(word) + "': say which of " + all};
  }
  return parse_int(found.front(), 0).value_or(-1);
}

std::string object_xml(Context& with, Kind kind, int id) {
  if (!with.reads_state()) return with.service().text(info(kind).info, {id, false}, patience);
  auto found = object_of_state(with.app(), kind, id);
  if (!found) throw none_such(kind, std::to_string(id));
  return *std::move(found);
}

}  // namespace cli
