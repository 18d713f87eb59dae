// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/provider.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/command.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/number.h"
#include "common/one/location.h"
#include "common/one/log_line.h"
#include "drivers/lib/messages.h"

namespace fs = std::filesystem;

namespace state {
namespace {

constexpr std::chrono::minutes limit{5};

fs::path hook(const std::string& ds_mad, const char* name) {
  return remotes_root() / "datastore" / ds_mad / name;
}

bool is_there(const fs::path& path) { return access(path.c_str(), X_OK) == 0; }

std::string run(const Home& home, const fs::path& path, const std::vector<std::string>& words,
                std::string input) {
  std::vector<std::string> argv{path.string()};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto finished = Command{argv}
                            .env("VMVAULT_VAR", home.var().string())
                            .env("VMVAULT_CORE_DIR", home.var().string())
                            .input(std::move(input))
                            .deadline(limit)
                            .run();
  if (finished.ok()) return finished.out;
  const auto why = last_plain_line(finished.err);
  throw Error{path.filename().string() +
              " of the datastore's driver: " + (why.empty() ? ended("it", finished.status) : why)};
}

std::string document(const Home& home, int datastore) {
  return messages::datastore_action(home.datastore(datastore)).dump() + "\n";
}

fs::path marks(const Home& home) { return home.var() / "jobs"; }

FileLock lock(const Home& home, int job) {
  fs::create_directories(marks(home));
  return FileLock::lock(marks(home) / (std::to_string(job) + ".lock"),
                        std::chrono::duration_cast<std::chrono::seconds>(2 * limit),
                        "backup job " + std::to_string(job));
}

}  // namespace

Capabilities capabilities(const Home& home, const DatastoreRecord& datastore) {
  const auto path = hook(datastore.ds_mad, "capabilities");
  if (!is_there(path)) return {};
  const auto text = run(home, path, {std::to_string(datastore.id)}, document(home, datastore.id));
  try {
    return {.increments = parse_json(text).value("increments", true)};
  } catch (const nlohmann::json::exception&) {
    throw Error{"the capabilities of datastore " + std::to_string(datastore.id) +
                " cannot be read"};
  }
}

void begin_job_of(const Store& store, const Home& home, int vm, int id) {
  const auto job = store.job_of(vm);
  const auto datastore = store.datastore(id);
  if (!job || !datastore || !is_there(hook(datastore->ds_mad, "job_init"))) return;
  const auto locked = lock(home, *job);
  const auto mark = marks(home) / std::to_string(*job);
  if (fs::exists(mark)) return;
  run(home, hook(datastore->ds_mad, "job_init"), {std::to_string(*job), std::to_string(id)},
      document(home, id));
  write_file(mark, std::to_string(id) + " " + datastore->ds_mad, 0600);
}

void end_job(const Home& home, int job) {
  const auto locked = lock(home, job);
  const auto mark = marks(home) / std::to_string(job);
  const auto text = read_file_if_any(mark);
  if (!text) return;
  const auto blank = text->find(' ');
  const auto datastore = parse_int(text->substr(0, blank));
  const auto path = hook(text->substr(blank + 1), "job_cleanup");
  fs::remove(mark);  // whatever becomes of it: the next execution begins anew
  if (datastore && is_there(path))
    run(home, path, {std::to_string(job), std::to_string(*datastore)}, document(home, *datastore));
}

std::vector<int> begun_jobs(const Home& home) {
  std::vector<int> all;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{marks(home), none})
    if (const auto job = parse_int(entry.path().filename().string())) all.push_back(*job);
  return all;
}

}  // namespace state
