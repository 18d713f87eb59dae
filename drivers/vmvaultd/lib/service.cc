// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/service.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "drivers/lib/place.h"
#include "drivers/vmvaultd/lib/children.h"
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/driver.h"
#include "drivers/vmvaultd/lib/errands.h"
#include "drivers/vmvaultd/lib/front.h"
#include "drivers/vmvaultd/lib/log.h"
#include "drivers/vmvaultd/lib/looks.h"
#include "drivers/vmvaultd/lib/metrics.h"

namespace vmvaultd {
namespace {

Time now() { return std::time(nullptr); }

FileLock only_one(const state::Home& home) {
  auto lock = FileLock::try_lock(home.var() / "vmvaultd.lock");
  if (!lock) throw Error{"another vmvaultd works with '" + home.var().string() + "'"};
  return *std::move(lock);
}

class Service {
 public:
  Service(const Settings& settings, const state::Home& home, std::string self)
      : settings_{settings},
        uri_{settings.uri.empty() ? libvirt_uri() : settings.uri},
        home_{home},
        lock_{only_one(home)},
        store_{home.database()},
        host_{begin()},
        children_{std::move(self), log_},
        manager_{store_, home, settings_.manager, ways(), now()},
        vmm_{driver("one_vmm_exec", "-t " + std::to_string(slots()) + " kvm -p"),
             {.ready = [this] { manager_.vmm_ready(now()); },
              .answer = [this](const Answer& answer) { manager_.vmm_answer(answer, now()); },
              .log = [this](const LogLine& line) { log_(line.severity, line.id, line.text); },
              .lost = [this](const std::string& why) { log_('E', -1, why); }}},
        datastore_{
            driver("one_datastore", "-t 15"),
            {.ready = [this] { manager_.datastore_ready(now()); },
             .answer = [this](const Answer& answer) { manager_.datastore_answer(answer, now()); },
             .log = [this](const LogLine& line) { hear_datastore(line); },
             .lost =
                 [this](const std::string& why) {
                   log_('E', -1, why);
                   manager_.datastore_lost();
                 }}} {}

  void run() {
    vmm_.start();
    datastore_.start();
    front_.emplace(settings_.front, world());
    log_('I', -1, "vmvaultd has begun");
    if (const auto& hook = settings_.hook; hook.is_absolute() && access(hook.c_str(), X_OK) != 0)
      log_('W', -1, system_error("run the HOOK '" + hook.string() + "'", errno).what());
    while (!cancel::requested()) {
      vmm_.advance();
      datastore_.advance();
      inbox_.work();
      look();  // also at hosts that somebody has just named
      children_.advance();
      manager_.advance(now());
      children_.advance();  // what that has begun
      wait();
    }
    inbox_.close();
    front_.reset();
    children_.let_go();
    log_('I', -1, "vmvaultd ends; what its drivers do goes on");
  }

 private:
  using Kind = Children::Kind;

  // What there is before the manager looks.
  int begin() {
    state::insist_on_place(store_, home_);
    if (!store_.datastore(state::default_datastore))
      store_.put_datastore({.id = state::default_datastore, .name = "default", .ds_mad = "restic"});
    if (!store_.datastore(settings_.manager.datastore))
      throw BadRequest{"DATASTORE_ID: there is no datastore " +
                       std::to_string(settings_.manager.datastore)};
    state::BackupDatastores{store_, home_}.remove_leftovers();
    state::Restores restores{store_};
    if (restores.image_datastores().empty())
      restores.add_image_datastore(home_, free_name("images"), home_.var() / "restored");
    Pools pools{store_};
    for (auto known : pools.hosts())
      if (known.name == "localhost") {
        known.uri = uri_;
        return pools.put(known);
      }
    return pools.put({.host = {}, .name = "localhost", .uri = uri_, .emulator_cpus = {}});
  }

  // Of a datastore.
  std::string free_name(std::string name) const {
    for (const auto& one : store_.datastores())
      if (one.name == name) return free_name(name + "-");
    return name;
  }

  Ways ways() {
    return {.prepare = [this](int vm, int datastore, bool reset) { prepare(vm, datastore, reset); },
            .ask_vmm = [this](auto& verb, auto id,
                              auto& payload) { return vmm_.send(verb, id, payload); },
            .ask_datastore =
                [this](auto& verb, auto id, auto& payload) {
                  if (verb == "MONITOR")
                    monitored_.insert(id);
                  else
                    monitored_.erase(id);
                  return datastore_.send(verb, id, payload);
                },
            .fetch = [this](const std::string& what, int id) { fetch(what, id); },
            .tell = [this](const Event& event) { tell(event); },
            .end_job = [this](int job) { end_job(job); },
            .restore = [this](int vm) { restore(vm); },
            .log = [this](char severity, About about,
                          const std::string& text) { log_(severity, about, text); }};
  }

  Driver::Settings driver(const std::string& name, const std::string& arguments) const {
    const auto mads = settings_.mads.empty() ? remotes_root() / "mads" : settings_.mads;
    const auto path = mads / name;
    if (access(path.c_str(), X_OK) != 0)
      throw system_error("start the driver '" + path.string() + "' (MADS_LOCATION)", errno);
    return {.name = name, .argv = {path, arguments}};
  }
  int slots() const {
    constexpr int many = 1000;
    const int all = settings_.manager.policy.limits.all;
    return all == 0 ? many : std::max(all, 15);
  }

  // Its requests are of images, and of datastores, which are monitored.
  void hear_datastore(const LogLine& line) {
    log_(line.severity, {monitored_.contains(line.id) ? "DATASTORE" : "IMAGE", line.id}, line.text);
  }

  std::string uri_of(int vm) const {
    const auto uri = manager_.uri_of(manager_.host_of(vm));
    return uri.empty() ? uri_ : uri;
  }

  void prepare(int vm, int datastore, bool reset) {
    children_.run(
        Kind::errand, vm,
        {"--prepare", uri_of(vm), std::to_string(vm), std::to_string(datastore), reset ? "1" : "0"},
        [this, vm](const std::string* out, const std::string& error) {
          const auto found = out ? parse_preparation(*out) : std::nullopt;
          if (found)
            manager_.prepared(vm, found->attempt, found->payload);
          else
            manager_.not_prepared(vm, error.empty() ? "its preparation failed" : error, now());
        });
  }

  void fetch(const std::string& what, int id) {
    children_.run(Kind::copy, -1, {"--fetch", what, std::to_string(id)},
                  [=, this](const std::string* out, const std::string& error) {
                    manager_.fetched(what, id, out, error);
                  });
  }
  void tell(const Event& event) {
    if (settings_.hook.empty()) return;
    const auto machine = store_.vm(event.vm);
    const nlohmann::json document{{"event", event.what},
                                  {"vm", event.vm},
                                  {"name", machine ? machine->name : ""},
                                  {"image", event.image},
                                  {"increment", event.increment},
                                  {"text", event.text}};
    children_.run_hook(
        event.vm, {settings_.hook, event.what, std::to_string(event.vm)},
        document.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n");
  }

  void end_job(int job) {
    children_.run(Kind::errand, -1, {"--end-job", std::to_string(job)},
                  [this](const std::string* out, const std::string& error) {
                    if (!out) log_('W', -1, error);
                  });
  }
  void restore(int vm) {
    children_.run(Kind::restore, vm, {"--restore", uri_of(vm), std::to_string(vm)},
                  [=, this](const std::string* out, const std::string& error) {
                    manager_.restored(vm, out, error, now());
                  });
  }

  void look() {
    std::set<int> asked;
    for (const auto& record : manager_.hosts()) {
      if (record.host.status == Host::Status::offline) continue;
      asked.insert(record.host.id);
      if (looks_.begins(record.host.id, record.uri, now())) look_at(record);
    }
    if (looks_.hosts() != asked.size()) looks_.keep(asked);
  }

  void look_at(const HostRecord& record) {
    const int host = record.host.id;
    const auto uri = record.uri;
    children_.run(Kind::look, -1, {"--look", uri},
                  [=, this](const std::string* out, const std::string& error) {
                    const auto found = out ? parse_look(*out) : std::nullopt;
                    const auto heard =
                        looks_.ended(host, uri, found.has_value(), host != host_, now());
                    if (heard == Looks::Heard::nothing)
                      return;  // it was changed meanwhile, deleted or set offline
                    if (!error.empty()) log_('W', {"HOST", host}, error);
                    manager_.machines(host, found, now());
                    if (heard == Looks::Heard::came && host != host_) recover(host, uri);
                  });
  }

  // What backups have left there that died with it.
  void recover(int host, const std::string& uri) {
    children_.run(Kind::recovery, -1, {"--recover", uri},
                  [=, this](const std::string* out, const std::string& error) {
                    if (!out) log_('W', {"HOST", host}, error);
                  });
  }

  api::World world() {
    return {.home = home_,
            .inbox = inbox_,
            .orders = desk_,
            .measure = [this] { return measured(); },
            .log = [this](char severity, const std::string& text) { log_(severity, -1, text); }};
  }

  Measured measured() const {
    auto all = measure(manager_.scheduler(), now());
    all.begun = begun_;
    all.drivers = {{"one_vmm_exec", vmm_.ready(), vmm_.losses()},
                   {"one_datastore", datastore_.ready(), datastore_.losses()}};
    return all;
  }

  void wait() {
    std::vector<pollfd> fds{{cancel::fd(), POLLIN, 0}, {inbox_.fd(), POLLIN, 0}};
    vmm_.watch(fds);
    datastore_.watch(fds);
    children_.watch(fds);
    poll(fds.data(), fds.size(), timeout());
  }

  // Milliseconds.
  int timeout() const {
    constexpr Time longest = 3600;
    const Time first = std::min(manager_.next().value_or(last_time), looks_.next()) - now();
    Time limit = std::clamp<Time>(first, 0, longest) * 1000;
    if (const int child = children_.timeout(); child >= 0) limit = std::min<Time>(limit, child);
    for (const auto* one : {&vmm_, &datastore_})
      if (const auto alarm = one->alarm()) {
        const auto left =
            std::chrono::ceil<Driver::Duration>(*alarm - Driver::Clock::now()).count();
        limit = std::min(limit, std::max<Time>(left, 0));
      }
    return static_cast<int>(limit);
  }

  Settings settings_;
  Log log_{settings_.log};
  std::string uri_;
  const state::Home& home_;
  FileLock lock_;
  state::Store store_;
  int host_;
  Children children_;
  Manager manager_;
  Inbox inbox_;
  Desk desk_{store_, home_, manager_, now};
  std::set<std::int64_t> monitored_{};
  Driver vmm_, datastore_;
  Looks looks_{settings_.look};
  Time begun_ = now();
  std::optional<Front> front_;  // asks the others
};

}  // namespace

void serve(const Settings& settings, const state::Home& home, const std::string& self) {
  Service{settings, home, self}.run();
}

}  // namespace vmvaultd
