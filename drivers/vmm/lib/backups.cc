// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/backups.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "common/base64.h"
#include "common/command.h"
#include "common/error.h"
#include "common/one/xml.h"
#include "drivers/lib/mad.h"
#include "drivers/vmm/lib/keeper.h"
#include "drivers/vmm/lib/vm_log.h"
#include "drivers/vmm/lib/waits.h"

namespace fs = std::filesystem;

namespace front {
namespace {

// How often the lock of a backup is tried whose keeper is none of our children, in milliseconds.
constexpr int look_again = 500;

constexpr std::chrono::minutes longest_wait{1};  // for an earlier driver

// Of the core, at a time: after a night there may be many.
constexpr std::ptrdiff_t most_questions = 4;

std::string self() { return fs::read_symlink("/proc/self/exe"); }

bool is_success(const std::string& line) { return line.starts_with("BACKUP SUCCESS "); }

std::string had_before(const mad::Message& request) {
  const Xml document{base64_decode(request.payload)};
  const auto vm = document.root().first("VM");
  return vm ? backups_of(*vm).value_or("") : "";
}

}  // namespace

Backups::Backups(Places places, Outbound& out)
    : places_{std::move(places)}, out_{out}, changes_{inotify_init1(IN_CLOEXEC | IN_NONBLOCK)} {
  fs::create_directories(places_.records);
  fs::permissions(places_.records, fs::perms::owner_all);
  alone_ = FileLock::try_lock_for(places_.records / "driver.lock", longest_wait);
  if (!alone_) throw Error{"another driver still works with '" + places_.records.string() + "'"};
  adopt();
}

void Backups::log(char severity, std::int64_t vm_id, const std::string& text) {
  out_.line(mad::log_line(severity, vm_id, text));
}

void Backups::begin(const mad::Message& message) {
  const std::int64_t id = *message.id;
  try {
    drop(id);
    std::erase_if(kept_, [&](const Kept& kept) { return kept.record.vm_id() == id && kept.over; });
    for (const auto& record : Record::all(places_.records))
      if (record.vm_id() == id && record.try_lock()) forget(record);
    const auto record = Record::make(places_.records, id);
    // Held until the keeper has ended, whatever becomes of us.
    const auto lock = record.try_lock();
    if (!lock) throw Error{"cannot lock '" + record.path().string() + "'"};
    record.note_before(had_before(message));
    fcntl(lock->fd(), F_SETFD, 0);
    auto words = keeper_words(record, lock->fd(), places_.slots);
    words.insert(words.begin(), self());
    inotify_add_watch(changes_.get(), record.path().c_str(), IN_MODIFY);
    auto& kept = kept_.emplace_back(Kept{.record = record});
    kept.keeper.emplace(mad::Order{.argv = words, .input = message.payload},
                        [this, id](auto line) { log('W', id, std::string{line}); });
  } catch (const Error& e) {
    std::erase_if(kept_,
                  [&](const Kept& kept) { return kept.record.vm_id() == id && !kept.keeper; });
    out_.line(mad::answer("BACKUP", false, id, e.what()));
  }
}

bool Backups::cancel(const mad::Message& message) {
  const std::int64_t id = *message.id;
  bool ours = false;
  for (auto& kept : kept_) {
    if (kept.record.vm_id() != id || kept.over) continue;
    ours = true;
    stop(kept);
  }
  if (!ours) return false;
  const std::vector<std::string> argv{places_.remotes / "vmm/kvm/backup_cancel",
                                      std::to_string(id)};
  const auto report = std::make_shared<mad::Report>(
      id, Command{argv}.display(), [this](auto line) { out_.line(std::string{line}); });
  const auto next = [=, this](const mad::Outcome* last,
                              std::string_view error) -> std::optional<mad::Order> {
    if (!last && error.empty()) return mad::Order{.argv = argv, .input = message.payload};
    const bool good = last && last->status == 0 && !last->late;
    out_.line(mad::answer("BACKUPCANCEL", good, id, last ? report->info(*last) : error));
    return std::nullopt;
  };
  cancels_.add({.id = id, .next = next, .said = [=, this](auto line) {
                  if (const auto told = vm_log(line, "backup_cancel", id))
                    out_.line(*told);
                  else
                    report->take(line);
                }});
  return true;
}

void Backups::drop(std::int64_t vm_id) {
  for (auto& kept : kept_) {
    if (kept.record.vm_id() != vm_id) continue;
    kept.unwanted = true;
    kept.record.unwant();
    if (!kept.over) stop(kept);
  }
}

void Backups::adopt() {
  for (const auto& record : Record::all(places_.records)) {
    if (record.sent_long_ago()) {
      record.remove();
      continue;
    }
    inotify_add_watch(changes_.get(), record.path().c_str(), IN_MODIFY);
    kept_.push_back({.record = record});
  }
}

void Backups::stop(Kept& kept) {
  kept.stopped = true;
  if (kept.keeper) return kept.keeper->ask(SIGTERM);
  // Its number is there a moment after it has begun.
  const auto keeper = kept.record.keeper();
  kept.to_stop = !keeper;
  if (keeper) keeper->signal(SIGTERM);
}

bool Backups::has_ended(Kept& kept) {
  if (kept.to_stop) stop(kept);
  return kept.keeper ? kept.keeper->advance().has_value() : kept.record.try_lock().has_value();
}

bool Backups::go_on(Kept& kept) {
  const Record& record = kept.record;
  // Before we look at its log: what it wrote last is read then.
  kept.over = kept.over || has_ended(kept);
  if (const auto lines = record.take_log(); !lines.empty()) out_.line(lines);
  if (!kept.over) return false;
  bool wanted = !kept.unwanted && !record.unwanted();
  if (wanted && !kept.keeper) {
    if (!kept.question) ask(kept);
    const auto answer = kept.question ? kept.question->advance() : std::nullopt;
    if (!answer) return false;
    wanted = is_wanted(answer->status, record);
    kept.lost = answer->status == static_cast<int>(Waits::other);
  }
  if (wanted)
    deliver(kept);
  else
    forget(record);
  return true;
}

std::ptrdiff_t Backups::questions() const {
  return std::count_if(kept_.begin(), kept_.end(),
                       [](const Kept& kept) { return kept.question.has_value(); });
}

void Backups::ask(Kept& kept) {
  if (questions() >= most_questions) return;
  std::vector<std::string> words{self(), "--waits", std::to_string(kept.record.vm_id())};
  // The core may have heard it, and wait for another one by now.
  if (kept.record.sent()) words.push_back(kept.record.before().value_or("unknown"));
  kept.question.emplace(mad::Order{.argv = words}, [](auto) {});
}

// Where nobody knows, the core would wait for ever for what was never sent.
bool Backups::is_wanted(int answer, const Record& record) const {
  if (answer == static_cast<int>(Waits::yes) || answer == static_cast<int>(Waits::other))
    return true;
  return answer != static_cast<int>(Waits::no) && !record.sent();
}

void Backups::deliver(const Kept& kept) {
  const Record& record = kept.record;
  auto line = record.result();
  if (!line) line = record.sent();
  // A keeper that has just been started dies of what stops it, before it could say so.
  if (!line)
    line = mad::answer("BACKUP", false, record.vm_id(),
                       kept.stopped ? "cancelled" : "the backup ended without a result");
  if (kept.lost && is_success(*line))
    line = mad::answer("BACKUP", false, record.vm_id(),
                       "the request was lost: its driver ended before it had written it down");
  out_.line(*line, [record] { record.mark_sent(); });
}

void Backups::forget(const Record& record) {
  const auto result = record.result();
  if (result && is_success(*result))
    log('W', record.vm_id(),
        "a backup is stored, but OpenNebula does not wait for it any more: " + *result);
  record.remove();
}

void Backups::watch(std::vector<pollfd>& fds) const {
  fds.push_back({changes_.get(), POLLIN, 0});
  cancels_.watch(fds);
  for (const auto& kept : kept_) {
    if (kept.keeper && !kept.over) kept.keeper->watch(fds);
    if (kept.question) kept.question->watch(fds);
  }
}

int Backups::timeout() const {
  const bool looks = std::any_of(kept_.begin(), kept_.end(),
                                 [](const Kept& kept) { return !kept.keeper || kept.to_stop; });
  const int other = cancels_.timeout();
  return !looks ? other : other == -1 ? look_again : std::min(other, look_again);
}

void Backups::advance() {
  char buffer[65536];
  while (read(changes_.get(), buffer, sizeof buffer) > 0) {
  }
  cancels_.advance();
  std::erase_if(kept_, [this](Kept& kept) { return go_on(kept); });
}

void Backups::let_go() noexcept {
  for (auto& kept : kept_)
    if (kept.keeper && !kept.over) kept.keeper->let_go();
  cancels_.let_go();
}

}  // namespace front
