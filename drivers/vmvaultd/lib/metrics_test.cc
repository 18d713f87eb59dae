// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "common/one/xml.h"
#include "drivers/vmvaultd/lib/queue.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

constexpr Time now = 1'790'596'800;

state::VmFacts facts(int id, const std::string& name) {
  return {.vm = {.id = id, .uuid = "u", .name = name, .active_image = {}}};
}

// Two machines, one of which is backed up while the other waits.
Scheduler busy() {
  State state{.policy = {.limits = {.all = 1, .host = 1, .datastore = 3}}};
  state.hosts = {{.id = 0}};
  state.datastores = {{.id = 100}};
  state.vms = {{.id = 1, .host = 0, .rpo = day, .rpo_since = now},
               {.id = 2, .host = 0, .rpo_since = now},
               {.id = 3, .host = 0, .job = 4, .job_state = JobState::error}};
  state.jobs = {{.id = 4, .vms = {3}, .datastore = 100, .last_time = now - 60, .last_duration = 9}};
  Scheduler core{std::move(state), now};
  core.backup(1, 100, false, 50, now);
  core.backup(2, 100, false, 50, now);
  core.advance(now);
  return core;
}

Measured everything() {
  auto all = measure(busy(), now + 30);
  all.begun = now - 5;
  all.drivers = {{.name = "one_vmm_exec", .ready = true, .losses = 2}};
  all.vms = {facts(1, "web"), facts(2, "a \"b\\\nc")};
  all.vms[0].images = 1;
  all.vms[0].increments = 3;
  all.vms[0].bytes = 5'000'000'000;
  all.vms[0].newest = now - 100;
  all.vms[0].newest_bytes = 12;
  all.vms[0].duration = 7;
  all.vms[0].last_ended = now;
  all.hosts = {{.host = {.id = 0}, .name = "localhost", .uri = {}, .emulator_cpus = {}},
               {.host = {.id = 1, .status = Host::Status::disabled},
                .name = "kvm2",
                .uri = {},
                .emulator_cpus = {}}};
  all.datastores = {{.id = 100, .name = "default", .used_mb = 1, .free_mb = 2, .total_mb = 3},
                    {.id = 101, .name = "silent"}};
  return all;
}

std::set<std::string> lines(const std::string& text) {
  std::set<std::string> all;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) all.insert(line);
  return all;
}

TEST(Metrics, SayWhatIsKnownOfEachMachine) {
  const auto said = lines(metrics(everything()));
  const std::string web = R"({vm="1",name="web"} )";
  for (const auto& line :
       {"vmvault_vm_last_success_timestamp_seconds" + web + "1790596700",
        "vmvault_vm_backup_age_seconds" + web + "130", "vmvault_vm_last_size_bytes" + web + "12",
        "vmvault_vm_last_duration_seconds" + web + "7", "vmvault_vm_last_failed" + web + "0",
        "vmvault_vm_stored_bytes" + web + "5000000000", "vmvault_vm_restore_points" + web + "3",
        "vmvault_vm_rpo_seconds" + web + "86400"})
    EXPECT_TRUE(said.contains(line)) << line;
}

TEST(Metrics, SayNothingOfWhatIsNotKnown) {
  const auto text = metrics(everything());
  EXPECT_EQ(text.find("vmvault_vm_backup_age_seconds{vm=\"2\""), text.npos);
  EXPECT_EQ(text.find("vmvault_datastore_free_bytes{datastore=\"101\""), text.npos);
  EXPECT_NE(text.find("vmvault_vm_images{vm=\"2\""), text.npos);
}

TEST(Metrics, SayWhatTheServiceDoes) {
  const auto said = lines(metrics(everything()));
  for (const auto* line :
       {"vmvault_backups_running 1", "vmvault_queue_length 1", "vmvault_queue_wait_seconds 30",
        R"(vmvault_queue_waiting{cause="host_limit"} 1)", R"(vmvault_limit{of="all"} 1)",
        R"(vmvault_limit{of="datastore"} 3)", R"(vmvault_host_up{host="localhost"} 1)",
        R"(vmvault_host_enabled{host="localhost"} 1)", R"(vmvault_host_enabled{host="kvm2"} 0)",
        R"(vmvault_host_backups_running{host="localhost"} 1)",
        R"(vmvault_host_limit{host="localhost"} 1)",
        R"(vmvault_driver_restarts_total{driver="one_vmm_exec"} 2)",
        R"(vmvault_driver_up{driver="one_vmm_exec"} 1)",
        R"(vmvault_datastore_free_bytes{datastore="100",name="default"} 2097152)",
        R"(vmvault_job_last_duration_seconds{job="4"} 9)", R"(vmvault_job_failed_vms{job="4"} 1)",
        "vmvault_start_time_seconds 1790596795"})
    EXPECT_TRUE(said.contains(line)) << line;
}

TEST(Metrics, AreInTheFormatWhateverTheNamesAre) {
  EXPECT_EQ(label_text("a \"b\\\nc"), R"(a \"b\\\nc)");
  EXPECT_EQ(label_text("\xc3\xa4 \xc3 \x01"), "\xc3\xa4 ? ?");
  const std::regex sample{
      R"re([a-z_]+(\{[a-z]+="([^"\\]|\\["\\n])*"(,[a-z]+="([^"\\]|\\["\\n])*")*\})? -?[0-9]+)re"};
  const std::regex comment{"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter))"};
  std::istringstream in{metrics(everything())};
  std::set<std::string> families;
  std::string family;
  for (std::string line; std::getline(in, line);) {
    EXPECT_TRUE(std::regex_match(line, sample) || std::regex_match(line, comment)) << line;
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << line;
    } else if (!line.starts_with('#')) {
      EXPECT_EQ(line.substr(0, line.find_first_of("{ ")), family);
    }
  }
}

// What a dashboard shows is there.
TEST(Metrics, AreAllThatTheDashboardAsksFor) {
  std::ifstream file{"share/grafana/vmvault.json"};
  ASSERT_TRUE(file) << "to be run in the root of the tree";
  const auto dashboard = nlohmann::json::parse(file);
  const auto text = metrics(everything());
  std::size_t asked = 0;
  const std::regex name{"vmvault_[a-z_]+"};
  for (const auto& panel : dashboard.at("panels"))
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      const auto expression = target.at("expr").get<std::string>();
      for (std::sregex_iterator at{expression.begin(), expression.end(), name}, end; at != end;
           ++at, ++asked)
        EXPECT_NE(text.find("# TYPE " + at->str() + " "), text.npos) << expression;
    }
  EXPECT_GT(asked, 10U);
}

TEST(Queue, SaysForEachThatWaitsForWhat) {
  const ScopedZone zone{"UTC"};
  const Xml queue{queue_xml(busy(), {{2, "a<b"}})};
  const auto all = queue.root().children();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].at("ID") + all[0].at("NAME") + all[0].at("ORIGIN"), "2a<bMANUAL");
  EXPECT_EQ(all[0].at("WHY"), "VM 2 waits for host 0, which makes 1 backup (MAX_BACKUPS_HOST)");
  EXPECT_EQ(all[0].at("STARTED"), "-1");
  EXPECT_EQ(all[1].at("ID") + all[1].at("WHY"), "1");
  EXPECT_EQ(all[1].at("STARTED"), std::to_string(now));
}

TEST(Queue, IsADocumentWhateverTheMachinesAreCalled) {
  const Xml queue{queue_xml(busy(), {{2, "a\x01\xff]]>"}})};
  EXPECT_EQ(queue.root().children().at(0).at("NAME"), "a??]]>");
}

}  // namespace
}  // namespace vmvaultd
