// SPDX-License-Identifier: Apache-2.0
// For tests: a manager whose drivers and errands are the test's own, and which can be made anew.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <utility>

#include "drivers/lib/test_attempt.h"
#include "drivers/vmvaultd/lib/manager.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {

inline constexpr Time begin = 1'790'596'800;  // Monday, 2026-09-28 12:00 UTC

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    home.prepare();
    store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
    host =
        pools.put({.host = {}, .name = "localhost", .uri = "test:///default", .emulator_cpus = ""});
    settings.policy.limits = {.all = 2, .host = 0, .datastore = 0};
    settings.rpo = day;
    settings.datastore = 100;
  }

  void boot() {
    asked.clear();
    manager.reset();
    manager.emplace(
        store, home, settings,
        Ways{.prepare = [this](int vm, int, bool) { preparing.push_back(vm); },
             .ask_vmm = [this](auto& verb, auto id, auto&) { return ask(verb, id, vmm_is_ready); },
             .ask_datastore =
                 [this](auto& verb, auto id, auto& payload) {
                   if (verb == "MONITOR") {
                     ++monitors;
                     if (datastores_answer) unanswered.insert(id);
                     return datastore_is_ready;
                   }
                   last_payload = payload;
                   return ask(verb, id, datastore_is_ready);
                 },
             .fetch = [this](auto& what,
                             int id) { asked.push_back(what + " " + std::to_string(id)); },
             .end_job = [this](int job) { asked.push_back("end of job " + std::to_string(job)); },
             .restore = [this](int vm) { asked.push_back("restore " + std::to_string(vm)); },
             .log = [this](char, auto&&, auto& text) { logged += text + "\n"; }},
        now);
  }
  bool ask(const std::string& verb, std::int64_t id, bool ready) {
    if (ready) asked.push_back(verb + " " + std::to_string(id));
    return ready;
  }

  // So many machines, each due for a backup.
  void machines(int count) {
    std::vector<Machine> all;
    for (int i = 0; i < count; ++i)
      all.push_back({.uuid = "u" + std::to_string(i), .name = "vm" + std::to_string(i)});
    manager->machines(host, all, now);
    now += day;
    advance();
  }
  void advance() {
    while (true) {
      manager->advance(now);
      for (const auto id : std::exchange(unanswered, {}))
        manager->datastore_answer({.verb = "MONITOR", .good = true, .id = id, .info = ""}, now);
      if (const auto next = manager->next(); !next || *next > now) return;
    }
  }

  // The preparation of all that wait for it: their attempts.
  std::vector<int> prepare_all() {
    const auto vms = std::exchange(preparing, {});
    for (const int vm : vms) manager->prepared(vm, begin_attempt(vm), "QUJD");
    return vms;
  }
  std::int64_t begin_attempt(int vm) {
    const auto active = store.vm(vm)->active_image;
    const auto image = active ? store.image(*active) : std::nullopt;
    const auto last = image ? image->last_increment() : -1;
    auto attempt = state::test_increment(vm, now, active, last + 1);
    attempt.service = true;
    return store.begin(attempt);
  }
  void stored(int vm) {
    manager->vmm_answer({.verb = "BACKUP",
                         .good = true,
                         .id = vm,
                         .info = "aaaa" + std::to_string(1000 + ++sources) + " 3 raw"},
                        now);
    advance();
  }
  std::string waiting(int vm) const {
    const auto text = read_file_if_any(home.vm_link(vm).string() + ".xml").value_or("");
    return text.find(">69<") != text.npos ? "waits" : "does not";
  }

  using Strings = std::vector<std::string>;
  ScopedZone zone{"UTC"};
  TempDir dir;
  state::Home home{dir.path() / "var"};
  state::Store store{[this] {
    std::filesystem::create_directory(dir.path() / "var");
    return home.database();
  }()};
  Pools pools{store};
  int host = -1, sources = 0, monitors = 0;
  Time now = begin;
  Manager::Settings settings{};
  bool vmm_is_ready = true, datastore_is_ready = true, datastores_answer = true;
  std::set<std::int64_t> unanswered;  // monitors
  std::vector<int> preparing;
  Strings asked;
  std::string last_payload, logged;
  std::optional<Manager> manager;
};

}  // namespace vmvaultd
