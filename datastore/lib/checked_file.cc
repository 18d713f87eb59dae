// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/checked_file.h"

#include <algorithm>

#include "common/error.h"
#include "common/qcow2/header.h"
#include "common/rbd/diff.h"

CheckedFile::CheckedFile(Open open, std::string name, std::uint64_t size,
                         std::optional<std::string> sums, std::function<void(std::size_t)> progress)
    : open_{std::move(open)}, name_{std::move(name)}, size_{size}, progress_{std::move(progress)} {
  if (sums) check_.emplace(*std::move(sums));
}

void CheckedFile::start() {
  if (!source_) source_ = open_();
}

qcow2::StreamReader CheckedFile::open() {
  start();
  qcow2::StreamReader reader{[this](std::span<std::byte> out) { return read(out); }, name()};
  plan_ = reader.plan();
  return reader;
}

void CheckedFile::drain() {
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  try {
    while (!ended_ && unreadable_.empty()) read(buffer);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {  // kept by read()
  }
  source_ = nullptr;
}

std::size_t CheckedFile::read(std::span<std::byte> out) {
  std::size_t n = 0;
  try {
    start();
    n = source_(out);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    unreadable_ = error.what();
    throw;
  }
  const auto bytes = std::span<const std::byte>{out}.first(n);
  if (start_.size() < header_size)
    start_.insert(start_.end(), bytes.begin(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(std::min(n, header_size)));
  if (check_) check_->add(bytes);
  seen_ += n;
  ended_ = n == 0;
  if (ended_ && check_) check_->finish();
  progress_(n);
  return n;
}

std::optional<std::uint64_t> CheckedFile::wrong_at() const {
  if (check_ && !check_->wrong().empty()) return check_->wrong().front() * sums::piece_size;
  if (!unreadable_.empty() || (ended_ && seen_ != size_)) return seen_;
  return std::nullopt;
}

std::optional<std::uint64_t> CheckedFile::wrong_at_guest() const {
  const auto at = wrong_at();
  if (!at || !plan_) return std::nullopt;
  const auto begin = std::max(*at, plan_->metadata_size());
  if (begin >= plan_->file_size() || begin - *at >= sums::piece_size) return std::nullopt;
  return plan_->place(begin).guest_offset;
}

std::string CheckedFile::problem() const {
  const auto at = wrong_at();
  if (check_ && !check_->wrong().empty())
    return "bytes " + std::to_string(*at) + " to " +
           std::to_string(std::min(*at + sums::piece_size, seen_) - 1) + " of " + name() +
           " are not what was backed up";
  if (!unreadable_.empty())
    return name() + " cannot be read at offset " + std::to_string(*at) + ": " + unreadable_;
  if (at)
    return name() + " has " + std::to_string(seen_) + " bytes instead of " + std::to_string(size_);
  if (!ended_ || rbd::is_diff(start_)) return "";  // an older OpenNebula's, of a disk in Ceph
  try {
    check_header(start_, "'" + name() + "' of the backup", Backing::overridden);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
