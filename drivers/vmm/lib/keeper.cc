// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/cancel.h"
#include "common/command.h"
#include "common/confine.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/number.h"
#include "drivers/lib/mad_environment.h"
#include "drivers/lib/mad_message.h"
#include "drivers/vmm/lib/vm_log.h"

namespace fs = std::filesystem;

namespace front {
namespace {

// The undo of a cancelled backup has deadlines of its own.
constexpr std::chrono::hours patience{6};

std::string read_all(int fd) {
  std::string text;
  char buffer[65536];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) != 0;) {
    if (n == -1 && errno != EINTR) throw system_error("read the request", errno);
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

// A descriptor that survives exec.
int pass_on(const std::string& request) {
  const int fd = memfd_create("request", 0);
  if (fd == -1) throw system_error("keep the request", errno);
  write_all(fd, request, "keep the request");
  lseek(fd, 0, SEEK_SET);
  return fd;
}

[[noreturn]] void become(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &cancel::original_mask(), nullptr);
  execvp(argv[0], argv.data());
  throw system_error("run '" + words.front() + "'", errno);
}

// Whoever ends the unit or session of the driver must not end the backup.
void move_apart(const Record& record, const std::vector<std::string>& words,
                const std::string& request) {
  auto place = confine::enter(
      {.group = "keeper", .limits = {}, .directory = record.path(), .outlives = true});
  if (place.prefix.empty()) return;
  auto line = std::move(place.prefix);
  line.push_back(fs::read_symlink("/proc/self/exe"));
  line.emplace_back("--keep");
  line.insert(line.end(), words.begin(), words.end());
  line.push_back(std::to_string(pass_on(request)));
  become(std::move(line));
}

FileLock wait_for_slot(const fs::path& directory, int slots) {
  for (;;) {
    for (int slot = 0; slot < slots; ++slot)
      if (auto lock = FileLock::try_lock(directory / ("slot." + std::to_string(slot))))
        return *std::move(lock);
    pollfd cancelled{cancel::fd(), POLLIN, 0};
    poll(&cancelled, 1, 200);
    cancel::check();
  }
}

// What vmm/kvm/backup says besides its answer.
class Listener {
 public:
  explicit Listener(const Record& record)
      : log_{open_file(record.path() / "log", O_WRONLY | O_CREAT | O_APPEND)},
        vm_id_{record.vm_id()} {}

  void take(std::string_view line) {
    if (const auto told = vm_log(line, "backup", vm_id_)) {
      // That it cannot be kept, for want of room, is no reason to give up a backup.
      [[maybe_unused]] const ssize_t ignored = write(log_.get(), told->data(), told->size());
    } else {
      plain_ += mad::parse_said(line).text;
    }
  }
  const std::string& plain() const { return plain_; }

 private:
  Fd log_;
  std::int64_t vm_id_;
  std::string plain_;
};

// It was killed, and could not undo itself.
void undo_killed(const Record& record, const fs::path& remotes, const std::string& request,
                 Listener& listener) noexcept try {
  Command undo{(remotes / "vmm/kvm/recover").string(), std::to_string(record.vm_id())};
  undo.input(request).err_lines([&](auto line) { listener.take(line); }).shielded().run();
} catch (const std::exception&) {  // the next backup does the same
}

// The line for the core.
std::string run(const Record& record, const fs::path& remotes, const std::string& request,
                int slots) {
  const std::string id = std::to_string(record.vm_id());
  Listener listener{record};
  const auto failure = [&](const std::string& otherwise) {
    const auto& said = listener.plain();
    return mad::answer("BACKUP", false, record.vm_id(), said.empty() ? otherwise : said);
  };
  try {
    const fs::path directory = record.path().parent_path();
    const auto turn = FileLock::lock(directory / (id + ".lock"), patience, "VM " + id);
    const auto slot = wait_for_slot(directory, slots);
    // Nobody would hear of what it does if we were killed: it then ends as if it were cancelled.
    Command backup{"setpriv", "--pdeathsig", "TERM", "--", (remotes / "vmm/kvm/backup").string()};
    backup.arg(id).input(request).err_lines([&](auto line) { listener.take(line); });
    const auto done = backup.stop_with({SIGTERM, patience}).answer_counts().run();
    // Its answer is its last deed, whatever ends it then.
    if (done.ok() || done.out.ends_with('\n'))
      return mad::answer("BACKUP", true, record.vm_id(), done.out);
    const auto line = failure(ended("the backup", done.status));
    if (done.status > 128) undo_killed(record, remotes, request, listener);
    return line;
  } catch (const Error& e) {
    return failure(e.what());
  }
}

// A full disk is not full for ever, and the answer is nowhere else.
void finish(const Record& record, const std::string& line) {
  constexpr int again_after_ms = 2000;
  for (;;) try {
      return record.finish(line);
    } catch (const Error&) {
      cancel::check();
      if (!fs::exists(record.path())) throw;  // nobody would look there
      pollfd cancelled{cancel::fd(), POLLIN, 0};
      poll(&cancelled, 1, again_after_ms);
    }
}

}  // namespace

std::vector<std::string> keeper_words(const Record& record, int lock, int slots) {
  return {"--keep", record.path(), std::to_string(lock), std::to_string(slots)};
}

int keep(const std::vector<std::string>& words, const fs::path& remotes) {
  const auto record = words.empty() ? std::nullopt : Record::at(words[0]);
  const auto lock = parse_int(words.size() > 1 ? words[1] : "", 3);
  const auto slots = parse_int(words.size() > 2 ? words[2] : "", 1);
  if (!record || !lock || !slots || words.size() > 4) throw BadRequest{"not the words of a keeper"};
  const bool moved = words.size() == 4;
  const std::string request = read_all(moved ? parse_int(words[3], 3).value_or(-1) : STDIN_FILENO);
  if (!moved) {
    mad::step_back();
    move_apart(*record, words, request);
  }
  fcntl(*lock, F_SETFD, FD_CLOEXEC);  // it is ours alone from now on
  record->keep();
  finish(*record, run(*record, remotes, request, *slots));
  confine::leave();
  return 0;
}

}  // namespace front
