// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "tm/host/lib/agent.h"
#include "tm/host/lib/guard.h"
#include "tm/host/lib/guard_words.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/layer_switch.h"
#include "tm/host/lib/recover.h"
#include "tm/host/lib/scratch.h"

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace host {
namespace {

constexpr int socket = STDIN_FILENO;
constexpr std::chrono::milliseconds tick{500};          // between two looks at a running job
constexpr std::chrono::milliseconds quick{100};         // the same while its maker should end it
constexpr std::chrono::milliseconds for_stopped{1200};  // what a maker has for that
constexpr std::chrono::milliseconds for_slow{5000};
constexpr std::chrono::minutes patience{30};         // with a libvirt or a guest that does not obey
constexpr std::chrono::seconds attempt{3};           // to set a guest free
constexpr std::chrono::seconds between_attempts{2};  // of an end

// By a signal, or a debugger.  The third word of proc(5)'s stat, after a name in parentheses.
bool is_stopped(pid_t pid) {
  const auto stat = read_file_if_any("/proc/" + std::to_string(pid) + "/stat").value_or("");
  const auto name_end = stat.rfind(") ");
  return name_end != stat.npos && (stat[name_end + 2] == 'T' || stat[name_end + 2] == 't');
}

class GuardProcess {
 public:
  explicit GuardProcess(const json& order) : vm_dir_{order.at("vm_dir").get<std::string>()} {
    if (const std::string uri = order.at("uri"); !uri.empty()) hypervisor_.emplace(uri);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, vm_starts);
    sigprocmask(SIG_BLOCK, &one, nullptr);
    starts_.reset(signalfd(-1, &one, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!starts_) throw system_error("watch for signals", errno);
  }

  int run() {
    say(socket, {{"ready", getpid()}});
    while (true) {
      pollfd fds[] = {{socket, POLLIN, 0}, {starts_.get(), POLLIN, 0}};
      poll(fds, std::size(fds), static_cast<int>(wait().count()));
      if (fds[1].revents != 0) make_way();
      if (fds[0].revents != 0) {
        const auto words = listen_to(socket);
        if (!words) return end_for_good();
        obey(*words);
      }
      if (thaw_at_ && Clock::now() >= *thaw_at_) set_free_now();
      if (watching_) look_after_guest();
    }
  }

 private:
  std::chrono::milliseconds wait() const {
    if (watching_) return danger_at_ ? quick : tick;
    if (!thaw_at_) return std::chrono::milliseconds{-1};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*thaw_at_ - Clock::now());
    return std::max(left, std::chrono::milliseconds{0});
  }

  void obey(const json& words) {
    if (words.contains("freeze")) {
      how_ = parse_freeze(words.at("freeze").get<std::string>());
      domain_ = words.at("domain");
      thaw_at_ = Clock::now() + std::chrono::seconds{words.at("seconds").get<long>()};
      trying_until_.reset();
    } else if (words.contains("freed")) {
      thaw_at_.reset();
    } else if (words.contains("scratch")) {
      scratch_ = words.at("scratch").get<std::string>();
      floor_ = words.at("floor");
      watching_ = true;
    }
  }

  // Its maker may be waiting for something else than us; the exporter never does.
  void make_way() {
    signalfd_siginfo taken;
    while (read(starts_.get(), &taken, sizeof taken) > 0) {
    }
    if (watching_ || !verdict_.empty()) return;
    verdict_ = vm_was_started;
    log(Level::error, verdict_);
    say(socket, {{"verdict", verdict_}});
    const auto journal = Journal::load(vm_dir_);
    if (journal && journal->exporter <= 0) kill(journal->pid, SIGTERM);
  }

  // An agent that sleeps may obey the freeze much later; so this goes on for long, and between the
  // attempts we look after the rest.
  void set_free_now() {
    if (!trying_until_) {
      log(Level::error, "the guest stood still for too long: setting it free");
      trying_until_ = Clock::now() + patience;
    }
    finish_layers();
    const bool free = set_free(*hypervisor_, domain_, how_, attempt);
    thaw_at_ = Clock::now() + attempt;
    if (free || Clock::now() >= *trying_until_) thaw_at_.reset();
  }

  // A guest whose processors stand still for new layers cannot be thawed.
  void finish_layers() try {
    if (auto journal = Journal::load(vm_dir_)) finish_switch(*journal, *hypervisor_, vm_dir_);
  } catch (const Error& e) {
    log(Level::error, e.what());
  }

  void look_after_guest() {
    if (danger_at_) return see_to_the_end();
    const auto why = danger();
    if (why.empty()) return;
    log(Level::error, why);
    danger_at_ = Clock::now();
    if (verdict_.empty()) verdict_ = why;
    say(socket, {{"verdict", verdict_}});
  }

  // Its maker ends the job.  We must not while he lives: where he does not take what qemu has sent
  // him, qemu waits for him, and the guest for qemu.  When he is dead, we are told.
  void see_to_the_end() {
    const auto journal = Journal::load(vm_dir_);
    if (!journal || !journal->job_begun) {
      watching_ = false;
      return;
    }
    const pid_t maker = journal->exporter > 0 ? journal->exporter : journal->pid;
    const auto waited = Clock::now() - *danger_at_;
    if (waited < for_stopped || (waited < for_slow && !is_stopped(maker))) return;
    log(Level::error, "the backup does not end by itself: killing it");
    kill(maker, SIGKILL);
    danger_at_ = Clock::now();
  }

  // Why the job has to end; "" if all is well.
  std::string danger() try {
    // Gone, it is because the backup ends: what that says is why.
    if (std::error_code error; !fs::exists(scratch_, error)) return "";
    check_floor(scratch_, floor_);
    const auto journal = Journal::load(vm_dir_);
    if (!journal || !journal->job_begun) return "";
    const auto domain = hypervisor_->find(journal->domain);
    if (!domain || !is_active(*domain)) return "the domain does not run any more";
    if (!journal->had_io_error && state_of(*domain).paused_by_io_error())
      return "qemu paused the guest for an I/O error while the backup ran";
    return "";
  } catch (const VirtError& e) {
    // libvirtd may be restarted at any time: qemu and its job do not mind.
    if (!silent_) log(Level::warn, e.what());
    silent_ = true;
    return verdict_;
  } catch (const Error& e) {
    return e.what();
  }

  // Whoever made the backup is gone.  What the journal says is left to do.
  int end_for_good() {
    const auto until = Clock::now() + patience;
    do {
      try {
        pay_debts(vm_dir_);
        return 0;
      } catch (const Error& e) {
        log(Level::error, e.what());
      }
      std::this_thread::sleep_for(between_attempts);
    } while (Clock::now() < until);
    return 1;
  }

  fs::path vm_dir_;
  std::optional<Hypervisor> hypervisor_;  // none: nobody asks for anything that needs it
  Fd starts_;                             // readable when the VM is being started
  Freeze how_ = Freeze::none;
  std::string domain_;
  std::optional<Clock::time_point> thaw_at_, trying_until_;
  bool watching_ = false;
  bool silent_ = false;  // libvirt's silence has been reported
  fs::path scratch_;
  std::uint64_t floor_ = 0;
  std::string verdict_;
  std::optional<Clock::time_point> danger_at_;  // the job has to end since then
};

}  // namespace

int run_guard() try {
  const auto order = listen_to(socket);
  if (!order) return static_cast<int>(Exit::bad_request);
  try {
    return GuardProcess{*order}.run();
  } catch (const std::exception& e) {
    say(socket, {{"verdict", std::string{"the guard of the backup: "} + e.what()}});
    throw;
  }
} catch (const std::exception& e) {
  log(Level::error, std::string{"the guard: "} + e.what());
  return static_cast<int>(Exit::failed);
}

}  // namespace host
