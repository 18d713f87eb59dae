// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "common/cancel.h"
#include "common/one/action.h"
#include "datastore/lib/selection.h"
#include "datastore/rsync/lib/send_lanes.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::chrono::milliseconds pause{250};  // before the next connection; then ever longer
constexpr int most_in_vain = 3;                  // connections that bring nothing
// A smaller disk has gone before another channel is ready for it.
constexpr std::uint64_t worth_a_channel = std::uint64_t{16} << 20;

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

// Each to the first who asks.
class Waiting {
 public:
  explicit Waiting(std::vector<std::string> names) : names_{std::move(names)} {}

  std::string next() {  // empty: there are no more
    const std::lock_guard lock{mutex_};
    return next_ == names_.size() ? "" : names_[next_++];
  }
  bool none() {
    const std::lock_guard lock{mutex_};
    return next_ == names_.size();
  }

 private:
  std::mutex mutex_;
  const std::vector<std::string> names_;
  std::size_t next_ = 0;
};

}  // namespace

BackupSender::BackupSender(const SendRequest& request, SendOptions options, Open open,
                           SideCache cache, FilesSender::Progress progress)
    : request_{request},
      options_{options},
      open_{std::move(open)},
      plan_{plan()},
      files_{request_.directory, plan_, options_, std::move(cache), std::move(progress)} {}

Plan BackupSender::plan() const {
  Plan plan;
  for (const auto& said : request_.files) {
    const auto file = look_at(request_.directory, said.name);
    if (file.size != said.size)
      throw Error{fmt::format("'{}' has {} bytes, and had {}",
                              (request_.directory / said.name).string(), file.size, said.size)};
    plan.files.push_back(file);
    plan.bytes += file.size;
  }
  const auto named = plan.files;
  for (const auto& disk : named) {
    if (!is_full(disk.name)) continue;
    auto side = disk;
    side.mode = 0600;
    side.name = blocks_name(disk.name).value();
    side.size = Blocks::size_for(disk.size);
    plan.files.push_back(side);
    side.name = signature_name(disk.name).value();
    side.size = Signature::size_for(disk.size);
    plan.files.push_back(side);
  }
  plan.key = upload_key(request_.vm, options_.sparse, request_.directory, plan.files);
  return plan;
}

Request BackupSender::request(const std::string& doing) const {
  Request request;
  request.doing = doing;
  request.base = request_.base;
  request.vm = request_.vm;
  return request;
}

std::string BackupSender::send() try {
  for (int in_vain = 0;;) {
    const auto had = had_;
    try {
      return send_once();
    } catch (const Lost& lost) {
      in_vain = had_ > had ? 0 : in_vain + 1;
      if (had_ == 0 || in_vain > most_in_vain) throw;
      log(Level::warn, std::string{lost.what()} + "; trying to go on");
      cancel::pause(pause * (1 << 2 * in_vain));
    }
  }
} catch (const Lost&) {
  throw;
} catch (const std::exception&) {
  undo();
  throw;
}

std::string BackupSender::send_once() {
  if (committing_ && is_there()) return request_.name;
  auto receive = request("receive");
  receive.upload = {.name = request_.name,
                    .key = plan_.key,
                    .files = plan_.files,
                    .archive = options_.archive,
                    .sparse = options_.sparse};
  ++connections_;
  Conversation server{open_(Way::transfers), receive};
  insist_on_name(server);
  had_ = 1;
  for (const auto& [name, had] : server.greeting().files) had_ += had.size;
  try {
    // Some documents are complete only when the disks have been read.
    std::vector<std::string> disks, documents;
    for (const auto& file : request_.files)
      (is_disk_file(file.name) ? disks : documents).push_back(file.name);
    send_disks(server, disks);
    for (const auto& name : documents) files_.send(server, name);
    committing_ = true;
    if (server.commit() != request_.name)
      throw Error{"the server stored the backup under another name"};
  } catch (...) {
    count(server);
    throw;
  }
  count(server);
  files_.forget_outdated();
  return request_.name;
}

// What has it may be a process that works for a connection which we have lost: it has what was
// sent, and ends when it notices.
void BackupSender::insist_on_name(Conversation& server) const {
  if (server.greeting().name == request_.name) return;
  server.discard();
  throw Lost{"the server cannot take '" + request_.name +
             "' now: another process there still works on an upload of that name"};
}

void BackupSender::send_disks(Conversation& server, const std::vector<std::string>& disks) {
  auto order = disks;  // the largest first: so that none is left to go alone
  std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return plan_.at(a).size > plan_.at(b).size;
  });
  Waiting waiting{std::move(order)};
  std::atomic<int> channels = 0;
  const auto work = [&](Conversation& channel) {
    auto name = waiting.next();
    if (!name.empty()) ++channels;
    for (; !name.empty(); name = waiting.next()) files_.send(channel, name);
  };
  std::vector<std::function<void()>> lanes{[&] { work(server); }};
  for (std::size_t i = 1; i < channels_for(disks); ++i)
    lanes.emplace_back([&] {
      if (waiting.none()) return;
      const auto channel = join(server.greeting());
      if (!channel) return;
      try {
        work(*channel);
        channel->leave();
      } catch (...) {
        count(*channel);
        throw;
      }
      count(*channel);
    });
  files_.start();
  side_by_side(lanes, [&] { files_.stop(); });
  channels_ = std::max(channels_.load(), channels.load());
}

std::size_t BackupSender::channels_for(const std::vector<std::string>& disks) const {
  const auto large = std::count_if(disks.begin(), disks.end(), [&](const auto& name) {
    return plan_.at(name).size >= worth_a_channel;
  });
  return std::clamp<std::size_t>(static_cast<std::size_t>(large), 1, request_.channels);
}

// nullptr: there is none to be had, and those that there are do the work.
std::unique_ptr<Conversation> BackupSender::join(const Greeting& greeting) try {
  auto join = request("join");
  join.token = greeting.token;
  join.upload = {.name = greeting.name,
                 .key = plan_.key,
                 .files = plan_.files,
                 .archive = options_.archive,
                 .sparse = options_.sparse};
  return std::make_unique<Conversation>(open_(Way::transfers), join);
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  log(Level::info, std::string{"fewer disks go side by side: "} + error.what());
  return nullptr;
}

void BackupSender::count(const Conversation& server) { wire_ += server.sent() + server.received(); }

// The answer to a commit got lost; this one may, too.
bool BackupSender::is_there() try {
  auto list = request("list");
  list.names = {request_.name};
  const auto all = json::parse(ask(*open_(Way::transfers), list), nullptr, false);
  return all.is_object() && all.contains(request_.name) && all[request_.name].is_object();
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  throw Lost{error.what()};
}

// Also when nobody waits any more; what stays there goes with the next backup of the VM.
void BackupSender::undo() noexcept try {
  if (connections_ == 0) return;
  auto remove = request("remove");
  remove.names = {request_.name};
  ask(*open_(Way::undoes), remove);
} catch (const std::exception& error) {
  log(Level::warn, std::string{"an upload that failed is not removed: "} + error.what());
}

// An increment has no base, whatever is there.
bool BackupSender::has_full() const {
  return std::any_of(request_.files.begin(), request_.files.end(),
                     [](const auto& file) { return is_full(file.name); });
}

std::string BackupSender::report() const {
  const auto [counts, base, again] = files_.summary();
  auto text = fmt::format("{} of files, {} sent", mebibytes(plan_.bytes), mebibytes(wire_));
  if (channels_ > 1) text += fmt::format(", by {} channels", channels_.load());
  if (!base.empty())
    text +=
        fmt::format("; a delta of {} saved {}", base, mebibytes(counts.copied + counts.patched));
  else if (options_.whole)
    text += "; whole files, as RSYNC_ARGS asks for";
  else if (has_full())
    text += "; whole files, since there is no earlier full with a signature";
  else
    text += "; whole files, as those of an increment are";
  if (counts.skipped != 0)
    text += fmt::format("; {} were there of an upload that was cut off", mebibytes(counts.skipped));
  if (again) text += "; a file had to be sent twice, since the server found it wrong";
  return text;
}

}  // namespace rsync
