// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/errands.h"

#include <cstdio>
#include <ctime>
#include <sstream>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "drivers/lib/backup_plan.h"
#include "drivers/lib/hypervisor.h"
#include "drivers/lib/provider.h"
#include "drivers/lib/settle.h"
#include "drivers/lib/store.h"

namespace vmvaultd {
namespace {

constexpr const char* last_line = "END";   // an answer that was cut off is none
constexpr std::size_t longest_name = 255;  // an honest libvirt has no longer ones

void say(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) == EOF || std::fflush(stdout) != 0)
    throw Error{"nobody hears the answer"};
}

}  // namespace

void look(const std::string& uri) {
  std::string text;
  for (const auto& one : guest::Hypervisor{uri, guest::Hypervisor::Where::anywhere}.all())
    text += one.uuid + (one.active ? " 1 " : " 0 ") +
            base64_encode(one.name.substr(0, longest_name)) + "\n";
  say(text + last_line + "\n");
}

std::optional<std::vector<Machine>> parse_look(const std::string& text) {
  std::vector<Machine> all;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line == last_line) return all;
    const auto blank = line.find(' ');
    if (blank == line.npos || line.size() < blank + 3) return std::nullopt;
    all.push_back({.uuid = line.substr(0, blank),
                   .name = base64_decode(line.substr(blank + 3)),
                   .active = line[blank + 1] == '1'});
  }
  return std::nullopt;
}

void prepare(const state::Home& home, const std::string& uri, int vm, int datastore, bool reset) {
  state::Store store{home.database()};
  const auto machine = store.vm(vm);
  if (!machine) throw Error{"there is no machine " + std::to_string(vm)};
  const auto subject = guest::find_subject_at(uri, machine->uuid);
  state::settle(store, home, vm);
  state::begin_job_of(store, home, vm, datastore);
  auto plan = state::plan_backup(store, home, vm, subject,
                                 {.datastore = datastore,
                                  .full = reset,
                                  .freeze = {},
                                  .now = std::time(nullptr),
                                  .host = guest::parse_host_uri(uri)});
  for (const auto& note : subject.notes) std::fprintf(stderr, "WARN: %s\n", one_line(note).c_str());
  if (!plan.why_anew.empty() && !reset)
    std::fprintf(stderr, "WARN: a new chain begins: %s\n", one_line(plan.why_anew).c_str());
  if (!plan.why_whole.empty())
    std::fprintf(stderr, "WARN: the increment may hold everything: %s\n",
                 one_line(plan.why_whole).c_str());
  state::remove_leftovers(home.vm_link(vm));
  plan.attempt.service = true;
  state::drop_answers(home, vm);
  const auto attempt = store.begin(plan.attempt);
  say(std::to_string(attempt) + " " + base64_encode(plan.document) + "\n");
}

std::optional<Preparation> parse_preparation(const std::string& text) {
  const auto blank = text.find(' ');
  const auto attempt = parse_number(text.substr(0, blank));
  if (!attempt || blank == text.npos || !text.ends_with('\n')) return std::nullopt;
  return Preparation{.attempt = *attempt,
                     .payload = text.substr(blank + 1, text.size() - blank - 2)};
}

}  // namespace vmvaultd
