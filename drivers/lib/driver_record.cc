// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/driver_record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "common/error.h"
#include "common/number.h"
#include "common/random.h"

namespace fs = std::filesystem;

namespace front {
namespace {

// For a core that was ended before it has read an answer, and comes back.
constexpr std::chrono::hours kept_for{24};

}  // namespace

Record Record::make(const fs::path& parent, std::int64_t vm_id) {
  const fs::path path = parent / (std::to_string(vm_id) + "." + random_hex(8));
  if (mkdir(path.c_str(), 0700) != 0) throw system_error("make '" + path.string() + "'", errno);
  return {path, vm_id};
}

std::optional<Record> Record::at(const fs::path& path) {
  const std::string name = path.filename();
  const auto id = parse_number(name.substr(0, name.find('.')));
  if (!id || name.find('.') == name.npos || !fs::is_directory(path)) return std::nullopt;
  return Record{path, *id};
}

std::vector<Record> Record::all(const fs::path& parent) {
  std::vector<Record> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{parent, error})
    if (auto record = at(entry.path())) found.push_back(*std::move(record));
  return found;
}

void Record::keep() const { write_file(path_ / "keeper", Process::self().text()); }

std::optional<Process> Record::keeper() const {
  return Process::parse(read_file_if_any(path_ / "keeper").value_or(""));
}

void Record::note_before(const std::string& had) const { write_file(path_ / "before", had); }
std::optional<std::string> Record::before() const { return read_file_if_any(path_ / "before"); }

std::string Record::take_log() const {
  const auto told = read_file_if_any(path_ / "told");
  const auto offset = static_cast<std::size_t>(parse_number(told.value_or("")).value_or(0));
  const Fd log{open((path_ / "log").c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text;
  char buffer[65536];
  for (ssize_t n; log && (n = pread(log.get(), buffer, sizeof buffer,
                                    static_cast<off_t>(offset + text.size()))) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  text.erase(text.rfind('\n') + 1);
  if (text.empty()) return text;
  // To tell a line twice does no harm: it need not be durable, nor succeed.  The number only grows,
  // so it is written over the one before, and never missing in between.
  const Fd mark{open((path_ / "told").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  const std::string now = std::to_string(offset + text.size());
  [[maybe_unused]] const ssize_t ignored = write(mark.get(), now.data(), now.size());
  return text;
}

void Record::unwant() const noexcept {
  const Fd mark{open((path_ / "unwanted").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
}
bool Record::unwanted() const { return fs::exists(path_ / "unwanted"); }

void Record::finish(const std::string& line) const { write_file(path_ / "result", line); }
std::optional<std::string> Record::result() const { return read_file_if_any(path_ / "result"); }
std::optional<std::string> Record::sent() const { return read_file_if_any(path_ / "sent"); }

std::optional<std::int64_t> Record::ended() const {
  struct stat file {};
  for (const char* name : {"result", "sent"})  // in this order: the one becomes the other
    if (stat((path_ / name).c_str(), &file) == 0) return file.st_mtim.tv_sec;
  return std::nullopt;
}

bool Record::sent_long_ago() const {
  std::error_code error;
  const auto when = fs::last_write_time(path_ / "sent", error);
  return !error && fs::file_time_type::clock::now() - when > kept_for;
}

void Record::mark_sent() const noexcept {
  std::error_code error;
  fs::rename(path_ / "result", path_ / "sent", error);
}

void Record::remove() const noexcept {
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace front
