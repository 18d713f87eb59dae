// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/settle.h"

#include "common/error.h"
#include "common/file.h"
#include "common/one/xml.h"
#include "drivers/lib/driver_line.h"
#include "drivers/lib/driver_record.h"

namespace fs = std::filesystem;

namespace state {
namespace {

std::vector<front::Record> records_of(const Home& home, int vm) {
  auto all = front::Record::all(home.var() / "mad/kvm");
  std::erase_if(all, [&](const auto& one) { return one.vm_id() != vm || one.unwanted(); });
  return all;
}

// Of one whose keeper has ended.
mad::Answer answer_in(const front::Record& record) {
  auto line = record.result();
  if (!line) line = record.sent();
  const auto said = mad::parse_driver_line(line.value_or(""));
  if (const auto* answer = said ? std::get_if<mad::Answer>(&*said) : nullptr) return *answer;
  return {.verb = "BACKUP",
          .good = false,
          .id = record.vm_id(),
          .info = "the backup ended without a result"};
}

// What the driver would say to the service.
std::optional<Reply> service_reply(const Home& home, int vm) {
  std::optional<Reply> reply;
  for (const auto& record : records_of(home, vm)) {
    if (!record.try_lock())
      throw Error{"a backup that the service began still runs: try again when it has ended"};
    if (const auto answer = answer_in(record); answer.good) reply = parse_reply(answer.info + "\n");
  }
  return reply;
}

}  // namespace

std::vector<Settled> settle(Store& store, const Home& home, int vm) {
  std::vector<Settled> all;
  for (const auto& attempt : store.unfinished(vm)) {
    const auto reply = attempt.service ? service_reply(home, vm) : read_reply(home, attempt);
    const bool orphan = !attempt.image && attempt.increment > 0;
    auto& settled = all.emplace_back(Settled{.attempt = attempt, .stored = {}});
    if (reply && orphan)
      store.fail(attempt.id, deleted_meanwhile(reply->source));
    else if (!reply || store.recorded(vm, reply->source))
      store.fail(attempt.id, "interrupted");
    else
      settled.stored = record(store, home, attempt, *reply,
                              attempt.service ? driver_ended(home, vm) : std::nullopt);
    if (!attempt.service) continue;
    note_waiting(home, vm, false);
    for (const auto& record : records_of(home, vm)) record.unwant();
  }
  return all;
}

void drop_answers(const Home& home, int vm) {
  for (const auto& record : records_of(home, vm)) record.unwant();
}

void note_waiting(const Home& home, int vm, bool waits) {
  if (waits) drop_answers(home, vm);
  auto document = Xml::create("VM");
  document.root().add("ID", std::to_string(vm));
  // Contract 1.2: BACKUP, or RUNNING.
  document.root().add("LCM_STATE", waits ? "69" : "3");
  write_file(home.vm_link(vm).string() + ".xml", document.dump() + "\n", 0600);
}

bool driver_knows(const Home& home, int vm) { return !records_of(home, vm).empty(); }

std::optional<mad::Answer> driver_answer(const Home& home, int vm) {
  std::optional<mad::Answer> last;
  for (const auto& record : records_of(home, vm)) {
    if (!record.try_lock()) return std::nullopt;
    if (!last || !last->good) last = answer_in(record);
  }
  return last;
}

std::optional<std::int64_t> driver_ended(const Home& home, int vm) {
  std::optional<std::int64_t> last;
  for (const auto& record : records_of(home, vm)) last = std::max(last, record.ended());
  return last;
}

}  // namespace state
