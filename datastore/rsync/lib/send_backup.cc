// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_backup.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/cancel.h"
#include "common/command.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/action.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::chrono::milliseconds pause{250};  // before the next connection; then ever longer
constexpr int most_in_vain = 3;                  // connections that bring nothing
constexpr std::uint64_t longest_document = std::uint64_t{16} << 20;

// "disk.<id>.0": what later fulls are built from.
bool is_full(std::string_view name) {
  if (!name.starts_with("disk.") || !name.ends_with(".0")) return false;
  name.remove_prefix(5);
  return name.size() > 2 && parse_int(name.substr(0, name.size() - 2));
}

UploadFile stat_file(const std::filesystem::path& path, const SendRequest::File& file) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0)
    throw system_error("look at '" + path.string() + "'", errno);
  if (!S_ISREG(there.st_mode)) throw Error{"'" + path.string() + "' is not a plain file"};
  const auto size = static_cast<std::uint64_t>(there.st_size);
  if (size != file.size)
    throw Error{fmt::format("'{}' has {} bytes, and had {}", path.string(), size, file.size)};
  // A view is read only; but who flattens a chain over there must write into its files.
  return {.name = file.name,
          .size = size,
          .mtime_ns = there.st_mtim.tv_sec * 1'000'000'000LL + there.st_mtim.tv_nsec,
          .mode = (there.st_mode & 0777U) | 0600U};
}

// Ends at once with a cancellation.
void rest(std::chrono::milliseconds length) {
  pollfd fds[] = {{cancel::fd(), POLLIN, 0}, {cancel::watched(), POLLRDHUP, 0}};
  poll(fds, std::size(fds), static_cast<int>(length.count()));
  cancel::check();
}

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

BackupSender::BackupSender(const SendRequest& request, SendOptions options, Open open,
                           SideCache cache, Progress progress)
    : request_{request},
      options_{options},
      open_{std::move(open)},
      cache_{std::move(cache)},
      progress_{std::move(progress)} {
  find_files();
  key_ = key();
}

void BackupSender::find_files() {
  for (const auto& file : request_.files) {
    files_.push_back(stat_file(request_.directory / file.name, file));
    total_ += files_.back().size;
  }
  const auto named = files_;
  for (const auto& disk : named) {
    if (!is_full(disk.name)) continue;
    auto side = disk;
    side.mode = 0600;
    side.name = blocks_name(disk.name).value();
    side.size = Blocks::size_for(disk.size);
    files_.push_back(side);
    side.name = signature_name(disk.name).value();
    side.size = Signature::size_for(disk.size);
    files_.push_back(side);
  }
}

// What is the same upload.  If it is not, after all, the hash of what is there says so.
std::string BackupSender::key() const {
  json all{request_.vm, options_.sparse};
  for (const auto& file : files_) {
    all.push_back({file.name, file.size, file.mtime_ns});
    if (file.name == "vm.xml" && file.size <= longest_document)
      all.push_back(sha256_of(read_file(request_.directory / file.name)));
  }
  return sha256_of(all.dump(-1, ' ', false, json::error_handler_t::replace));
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
      rest(pause * (1 << 2 * in_vain));
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
  committing_ = false;
  Request request;
  request.doing = "receive";
  request.base = request_.base;
  request.vm = request_.vm;
  request.upload = {.name = request_.name,
                    .key = key_,
                    .files = files_,
                    .archive = options_.archive,
                    .sparse = options_.sparse};
  ++connections_;
  Conversation server{open_(End::may_be_cancelled), request};
  had_ = 1;
  for (const auto& [name, had] : server.greeting().files) had_ += had.size;
  const auto count = [&] { wire_ += server.sent() + server.received(); };
  try {
    send_all(server);
    committing_ = true;
    const auto name = server.commit();
    if (name != request_.name) throw Error{"the server stored the backup under another name"};
  } catch (...) {
    count();
    throw;
  }
  count();
  bases_.forget_outdated();
  return request_.name;
}

void BackupSender::send_all(Conversation& server) {
  before_ = 0;
  for (const auto& named : request_.files) {
    const auto& file = upload_file(named.name);
    if (is_full(file.name)) {
      send_disk(server, file);
    } else if (!is_done(server, file.name)) {
      note(send_file(server, request_.directory / file.name, job_for(server, file),
                     [&](std::uint64_t done) { progress_(before_ + done); }),
           file.name);
    }
    before_ += file.size;
    progress_(before_);
  }
}

void BackupSender::send_disk(Conversation& server, const UploadFile& file) {
  const auto known = options_.whole ? std::nullopt : bases_.find(server, file.name);
  if (known) base_name_ = known->base.name;
  if (!is_done(server, file.name) || !sides_.contains(file.name)) {
    auto job = job_for(server, file);
    job.sides = true;
    if (known) job.base = &*known;
    auto sent = send_file(server, request_.directory / file.name, job,
                          [&](std::uint64_t done) { progress_(before_ + done); });
    sides_.insert_or_assign(file.name, *std::move(sent.sides));
    note(sent, file.name);
  }
  const auto& sides = sides_.at(file.name);
  const auto* base = known ? &*known : nullptr;
  send_side(server, blocks_name(file.name).value(), sides.blocks, sides, base);
  send_side(server, signature_name(file.name).value(), sides.signature, sides, base);
}

template <class Entries>
void BackupSender::send_side(Conversation& server, const std::string& name, const Entries& entries,
                             const Sides& sides, const KnownBase* base) {
  if (is_done(server, name)) return;
  auto job = job_for(server, upload_file(name));
  job.base = base;
  const auto sent = send_entries(server, job, entries, sides);
  cache_.put(sent.sha256, entries.file());
  bases_.keep(sent.sha256);
  sent_[name] = sent.sha256;
}

// By this very process: what another one has left is not known here.
bool BackupSender::is_done(Conversation& server, const std::string& name) const {
  const auto ours = sent_.find(name);
  const auto theirs = server.greeting().files.find(name);
  return ours != sent_.end() && theirs != server.greeting().files.end() && theirs->second.done &&
         theirs->second.sha256 == ours->second;
}

FileJob BackupSender::job_for(Conversation& server, const UploadFile& file) const {
  FileJob job{.file = file, .level = options_.level};
  const auto had = server.greeting().files.find(file.name);
  if (had != server.greeting().files.end() && had->second.size != 0) job.had = had->second;
  return job;
}

// The answer to a commit got lost.
bool BackupSender::is_there() {
  Request request;
  request.doing = "list";
  request.base = request_.base;
  request.vm = request_.vm;
  request.names = {request_.name};
  const auto all = json::parse(ask(*open_(End::may_be_cancelled), request), nullptr, false);
  return all.is_object() && all.contains(request_.name) && all[request_.name].is_object();
}

// Also when nobody waits any more; what stays there goes with the next backup of the VM.
void BackupSender::undo() noexcept try {
  if (connections_ == 0) return;
  Request request;
  request.doing = "remove";
  request.base = request_.base;
  request.vm = request_.vm;
  request.names = {request_.name};
  ask(*open_(End::undoes), request);
} catch (const std::exception& error) {
  log(Level::warn, std::string{"an upload that failed is not removed: "} + error.what());
}

void BackupSender::note(const SentFile& sent, const std::string& name) {
  sent_[name] = sent.sha256;
  counts_ += sent.counts;
  again_ = again_ || sent.again;
}

const UploadFile& BackupSender::upload_file(const std::string& name) const {
  return *std::find_if(files_.begin(), files_.end(),
                       [&](const auto& file) { return file.name == name; });
}

std::string BackupSender::report() const {
  auto text = fmt::format("{} of files, {} sent", mebibytes(total_), mebibytes(wire_));
  const auto saved = counts_.copied + counts_.patched;
  if (!base_name_.empty())
    text += fmt::format("; a delta of {} saved {}", base_name_, mebibytes(saved));
  else if (options_.whole)
    text += "; whole files, as RSYNC_ARGS asks for";
  else
    text += "; whole files, since there is no earlier full with a signature";
  if (counts_.skipped != 0)
    text +=
        fmt::format("; {} were there of an upload that was cut off", mebibytes(counts_.skipped));
  if (again_) text += "; a file had to be sent twice, since the server found it wrong";
  return text;
}

}  // namespace rsync
