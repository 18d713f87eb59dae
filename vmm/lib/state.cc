// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/one/action.h"

namespace fs = std::filesystem;

namespace vmm {
namespace {

fs::path state_path(int vm_id) {
  const fs::path dir = var_dir() / "vmm";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error("make '" + dir.string() + "'", errno);
  return dir / (std::to_string(vm_id) + ".json");
}

fs::path progress_beside(fs::path state) { return state.replace_extension("progress"); }

std::vector<std::string> files_of(const fs::path& state) {
  const std::string progress = progress_beside(state);
  return {state, progress, progress + ".new"};
}

std::string utc(std::chrono::seconds later = std::chrono::seconds{0}) {
  const std::time_t when = std::time(nullptr) + later.count();
  std::tm parts{};
  gmtime_r(&when, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

std::optional<Leftover> read_leftover(int vm_id) {
  const auto path = state_path(vm_id);
  const auto text = read_file_if_any(path);
  if (!text) return std::nullopt;
  try {
    const auto json = parse_json(*text);
    Leftover left{.job = {.vm_id = vm_id,
                          .tm_mad = json.at("tm_mad"),
                          .ds_mad = json.at("ds_mad"),
                          .datastore_id = json.value("datastore", -1),
                          .last_increment_id = json.value("last_increment", -1),
                          .chain_id = json.value("chain", -1),
                          .live = json.at("live"),
                          .location = {},
                          .words = json.at("words")},
                  .pid = json.at("pid"),
                  .phase = json.at("phase"),
                  .started = json.at("started"),
                  .upload = {.run = json.value("run", ""), .reply = json.value("reply", "")},
                  .answered = json.value("answered", false),
                  .outdated = is_elsewhere(path, json.value("place", ""))};
    const auto& job = left.job;
    if (!is_driver_name(job.tm_mad) || !is_driver_name(job.ds_mad) || job.words.size() != 6)
      return std::nullopt;
    return left;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

void forget_leftover(int vm_id) {
  for (const auto& file : files_of(state_path(vm_id))) unlink(file.c_str());
}

State::State(const Job& job, std::chrono::milliseconds heartbeat)
    : path_{state_path(job.vm_id)}, job_{job}, started_{utc()} {
  unlink(progress().c_str());  // of one that was killed
  write();
  heart_ = std::thread{[this, heartbeat] { beat(heartbeat); }};
}

State::~State() {
  {
    const std::scoped_lock lock{mutex_};
    done_ = true;
  }
  wake_.notify_all();
  heart_.join();
  for (const auto& file : files_of(path_)) unlink(file.c_str());
}

std::string State::progress() const { return progress_beside(path_); }

void State::enter(const std::string& phase, std::chrono::seconds deadline) {
  const std::scoped_lock lock{mutex_};
  phase_ = phase;
  deadline_ = deadline.count() > 0 ? utc(deadline) : "";
  note();
}

void State::uploads(const std::string& run) {
  const std::scoped_lock lock{mutex_};
  upload_.run = run;
  note();
}

void State::stored(const std::string& reply) {
  const std::scoped_lock lock{mutex_};
  upload_.reply = reply;
  note();
}

// If that cannot be said, there must be no file: the next backup would take back what it says.
void State::answers() noexcept {
  const std::scoped_lock lock{mutex_};
  answered_ = true;
  try {
    write();
  } catch (const std::exception& e) {
    log(Level::warn, e.what());
    unlink(path_.c_str());
  }
}

// A full disk is no reason to give up a backup, and even less its undo.
void State::note() noexcept try { write(); } catch (const std::exception& e) {
  log(Level::warn, e.what());
}

void State::beat(std::chrono::milliseconds interval) {
  std::unique_lock lock{mutex_};
  while (!wake_.wait_for(lock, interval, [this] { return done_; })) note();
}

void State::write() {
  nlohmann::ordered_json json{{"version", 1},
                              {"vm", job_.vm_id},
                              {"pid", getpid()},
                              {"phase", phase_},
                              {"started", started_},
                              {"updated", utc()},
                              {"deadline", nullptr},
                              {"tm_mad", job_.tm_mad},
                              {"ds_mad", job_.ds_mad},
                              {"live", job_.live},
                              {"host", job_.location.host},
                              {"dir", job_.location.dir.string()},
                              {"words", job_.words},
                              {"datastore", job_.datastore_id},
                              {"last_increment", job_.last_increment_id},
                              {"chain", job_.chain_id},
                              {"run", upload_.run},
                              {"reply", upload_.reply},
                              {"answered", answered_}};
  if (!deadline_.empty()) json["deadline"] = deadline_;
  write_file(path_, [&](const std::string& place) {
    json["place"] = place;
    return json.dump(1) + "\n";
  });
}

}  // namespace vmm
