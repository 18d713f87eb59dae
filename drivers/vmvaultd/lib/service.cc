// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/service.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "drivers/lib/mad_pool.h"
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/driver.h"
#include "drivers/vmvaultd/lib/errands.h"
#include "drivers/vmvaultd/lib/front.h"
#include "drivers/vmvaultd/lib/log.h"
#include "drivers/vmvaultd/lib/looks.h"
#include "drivers/vmvaultd/lib/metrics.h"

namespace vmvaultd {
namespace {

constexpr std::size_t most_errands = 16, most_copies = 4;
constexpr std::chrono::minutes longest_errand{10}, longest_look{2};

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
        self_{std::move(self)},
        home_{home},
        lock_{only_one(home)},
        store_{home.database()},
        host_{begin()},
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
             .lost = [this](const std::string& why) { log_('E', -1, why); }}} {}

  void run() {
    vmm_.start();
    datastore_.start();
    front_.emplace(settings_.front, world());
    log_('I', -1, "vmvaultd has begun");
    while (!cancel::requested()) {
      vmm_.advance();
      datastore_.advance();
      look();
      for (auto* pool : pools()) pool->advance();
      inbox_.work();
      manager_.advance(now());
      for (auto* pool : pools()) pool->advance();  // what that has begun
      wait();
    }
    inbox_.close();
    front_.reset();
    restores_.let_go();
    log_('I', -1, "vmvaultd ends; what its drivers do goes on");
  }

 private:
  // What there is before the manager looks.
  int begin() {
    if (!store_.datastore(state::default_datastore))
      store_.put_datastore({.id = state::default_datastore, .name = "default", .ds_mad = "restic"});
    if (!store_.datastore(settings_.manager.datastore))
      throw BadRequest{"DATASTORE_ID: there is no datastore " +
                       std::to_string(settings_.manager.datastore)};
    state::Restores restores{store_};
    if (restores.image_datastores().empty())
      restores.add_image_datastore(home_, "images", home_.var() / "restored");
    Pools pools{store_};
    for (auto known : pools.hosts())
      if (known.name == "localhost") {
        known.uri = uri_;
        return pools.put(known);
      }
    return pools.put({.host = {}, .name = "localhost", .uri = uri_, .emulator_cpus = {}});
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
    return {.name = name, .argv = {mads / name, arguments}};
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

  // `heard` gets what the errand has printed; nullopt: it has failed, and `error` says why.
  void run_errand(mad::Pool& pool, int vm, std::vector<std::string> words,
                  std::function<void(const std::string* out, const std::string& error)> heard) {
    words.insert(words.begin(), self_);
    const auto said = std::make_shared<std::string>();
    const auto next = [=](const mad::Outcome* last,
                          std::string_view error) -> std::optional<mad::Order> {
      if (!last && error.empty()) return mad::Order{.argv = words};
      const bool good = last && last->status == 0 && !last->late;
      std::string why{error};
      if (last && !good) why = last->late ? "it takes too long" : *said;
      heard(good ? &last->out : nullptr, why);
      return std::nullopt;
    };
    pool.add({.id = vm, .next = next, .said = [this, vm, said](std::string_view line) {
                const auto parsed = mad::parse_said(line);
                if (parsed.severity)
                  log_(*parsed.severity, vm, parsed.text);
                else
                  *said += parsed.text;
              }});
  }

  std::string uri_of(int vm) const {
    const auto uri = manager_.uri_of(manager_.host_of(vm));
    return uri.empty() ? uri_ : uri;
  }

  void prepare(int vm, int datastore, bool reset) {
    run_errand(
        errands_, vm,
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
    run_errand(copies_, -1, {"--fetch", what, std::to_string(id)},
               [=, this](const std::string* out, const std::string& error) {
                 manager_.fetched(what, id, out, error);
               });
  }
  // Its fate is nobody's business but its own; what it says is for the log.
  void tell(const Event& event) {
    if (settings_.hook.empty()) return;
    const auto machine = store_.vm(event.vm);
    const nlohmann::json document{{"event", event.what},
                                  {"vm", event.vm},
                                  {"name", machine ? machine->name : ""},
                                  {"image", event.image},
                                  {"increment", event.increment},
                                  {"text", event.text}};
    const mad::Order order{
        .argv = {settings_.hook, event.what, std::to_string(event.vm)},
        .input = document.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n"};
    const auto next = [this, order, vm = event.vm](
                          const mad::Outcome* last,
                          std::string_view error) -> std::optional<mad::Order> {
      if (!last && error.empty()) return order;
      if (!last || last->status != 0) log_('W', vm, "the hook has failed");
      return std::nullopt;
    };
    hooks_.add({.id = event.vm, .next = next, .said = [this, vm = event.vm](std::string_view line) {
                  log_('I', vm, "hook: " + std::string{line});
                }});
  }

  void end_job(int job) {
    run_errand(errands_, -1, {"--end-job", std::to_string(job)},
               [this](const std::string* out, const std::string& error) {
                 if (!out) log_('W', -1, error);
               });
  }
  void restore(int vm) {
    run_errand(restores_, vm, {"--restore", uri_of(vm), std::to_string(vm)},
               [=, this](const std::string* out, const std::string& error) {
                 manager_.restored(vm, out, error, now());
               });
  }

  void look() {
    std::set<int> there;
    for (const auto& record : pools_.hosts()) {
      there.insert(record.host.id);
      if (looks_.begins(record.host.id, record.uri, now())) look_at(record);
    }
    looks_.keep(there);
  }

  void look_at(const HostRecord& record) {
    const int host = record.host.id;
    const auto uri = record.uri;
    run_errand(
        lookers_, -1, {"--look", uri}, [=, this](const std::string* out, const std::string& error) {
          const auto found = out ? parse_look(*out) : std::nullopt;
          const auto heard = looks_.ended(host, uri, found.has_value(), host != host_, now());
          if (heard == Looks::Heard::nothing) return;  // it was changed meanwhile, or deleted
          if (!error.empty()) log_('W', {"HOST", host}, error);
          manager_.machines(host, found, now());
          if (heard == Looks::Heard::came && host != host_) recover(host, uri);
        });
  }

  // What backups have left there that died with it.
  void recover(int host, const std::string& uri) {
    run_errand(recoveries_, -1, {"--recover", uri},
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

  std::array<mad::Pool*, 6> pools() {
    return {&errands_, &lookers_, &recoveries_, &copies_, &restores_, &hooks_};
  }
  std::array<const mad::Pool*, 6> pools() const {
    return {&errands_, &lookers_, &recoveries_, &copies_, &restores_, &hooks_};
  }

  void wait() {
    std::vector<pollfd> fds{{cancel::fd(), POLLIN, 0}, {inbox_.fd(), POLLIN, 0}};
    vmm_.watch(fds);
    datastore_.watch(fds);
    for (const auto* pool : pools()) pool->watch(fds);
    poll(fds.data(), fds.size(), timeout());
  }

  // Milliseconds.
  int timeout() const {
    constexpr Time longest = 3600;
    const Time first = std::min(manager_.next().value_or(last_time), looks_.next()) - now();
    Time limit = std::clamp<Time>(first, 0, longest) * 1000;
    for (const auto* pool : pools())
      if (const int errand = pool->timeout(); errand >= 0) limit = std::min<Time>(limit, errand);
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
  std::string uri_, self_;
  const state::Home& home_;
  FileLock lock_;
  state::Store store_;
  int host_;
  Manager manager_;
  Inbox inbox_;
  Desk desk_{store_, home_, manager_, now};
  Pools pools_{store_};
  mad::Pool errands_{most_errands, longest_errand}, lookers_{most_errands, longest_look},
      recoveries_{most_errands}, copies_{most_copies}, restores_{most_copies},
      hooks_{most_copies, longest_errand};
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
