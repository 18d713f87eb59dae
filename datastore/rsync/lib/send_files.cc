// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_files.h"

#include <utility>

namespace rsync {

void FilesSender::send(Conversation& server, const std::string& name) {
  const auto& file = plan_.at(name);
  at(name, 0);
  if (is_full(name))
    send_full(server, file);
  else if (!is_done(server, name))
    note(send_bytes(server, job_for(server, file)), name);
  at(name, file.size);
}

void FilesSender::send_full(Conversation& server, const UploadFile& file) {
  const auto blocks = blocks_name(file.name).value(), signature = signature_name(file.name).value();
  if (is_done(server, file.name) && is_done(server, blocks) && is_done(server, signature)) return;
  const auto known = options_.whole ? std::nullopt : bases_.find(server, file.name);
  const auto* base = known ? &*known : nullptr;
  auto sides = is_done(server, file.name) ? take_sides(file.name) : std::nullopt;
  if (!sides) {
    auto job = job_for(server, file);
    job.sides = true;
    job.base = base;
    auto sent = send_bytes(server, job);
    sides = std::exchange(sent.sides, std::nullopt);
    note(sent, file.name);
    const std::lock_guard lock{mutex_};
    if (base) summary_.base = base->base.name;
  }
  try {
    send_side(server, blocks, sides->blocks, *sides, base);
    send_side(server, signature, sides->signature, *sides, base);
  } catch (const Lost&) {
    keep_sides(file.name, *std::move(sides));
    throw;
  }
}

template <class Entries>
void FilesSender::send_side(Conversation& server, const std::string& name, const Entries& entries,
                            const Sides& sides, const KnownBase* base) {
  if (is_done(server, name)) return;
  auto job = job_for(server, plan_.at(name));
  job.base = base;
  const auto sent = send_entries(server, job, entries, sides);
  cache_.put(sent.sha256, entries.file());
  bases_.keep(sent.sha256);
  const std::lock_guard lock{mutex_};
  sent_[name] = sent.sha256;
}

SentFile FilesSender::send_bytes(Conversation& server, const FileJob& job) {
  return send_file(server, directory_ / job.file.name, job,
                   [&](std::uint64_t done) { at(job.file.name, done); });
}

FileJob FilesSender::job_for(Conversation& server, const UploadFile& file) const {
  FileJob job{.file = file, .level = options_.level};
  const auto had = server.greeting().files.find(file.name);
  if (had != server.greeting().files.end() && had->second.size != 0) job.had = had->second;
  return job;
}

// By this very process: what another one has left is not known here.
bool FilesSender::is_done(Conversation& server, const std::string& name) const {
  const std::lock_guard lock{mutex_};
  const auto ours = sent_.find(name);
  const auto theirs = server.greeting().files.find(name);
  return ours != sent_.end() && theirs != server.greeting().files.end() && theirs->second.done &&
         theirs->second.sha256 == ours->second;
}

std::optional<Sides> FilesSender::take_sides(const std::string& name) {
  const std::lock_guard lock{mutex_};
  auto node = sides_.extract(name);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

void FilesSender::keep_sides(const std::string& name, Sides sides) {
  const std::lock_guard lock{mutex_};
  sides_.insert_or_assign(name, std::move(sides));
}

void FilesSender::note(const SentFile& sent, const std::string& name) {
  const std::lock_guard lock{mutex_};
  sent_[name] = sent.sha256;
  summary_.counts += sent.counts;
  summary_.again = summary_.again || sent.again;
}

void FilesSender::at(const std::string& name, std::uint64_t done) {
  const std::lock_guard lock{mutex_};
  if (stopped_) throw Stopped{};
  const auto before = std::exchange(done_[name], done);
  if (done == before) return;
  done_bytes_ += done - before;
  progress_(done_bytes_);
}

void FilesSender::stop() {
  const std::lock_guard lock{mutex_};
  stopped_ = true;
}

void FilesSender::start() {
  const std::lock_guard lock{mutex_};
  stopped_ = false;
}

FilesSender::Summary FilesSender::summary() const {
  const std::lock_guard lock{mutex_};
  return summary_;
}

}  // namespace rsync
