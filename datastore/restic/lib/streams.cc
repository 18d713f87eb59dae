// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/cancel.h"
#include "common/file.h"
#include "common/mount.h"
#include "common/one/action.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

// Each dump is a restic of its own: a key derivation, 100 to 200 MiB, and on a server a connection,
// of which sshd takes ten at once (MaxStartups).
constexpr std::size_t most_dumps = 8;

}  // namespace

std::size_t read_some(int fd, std::span<std::byte> out, const fs::path& name) {
  for (;;) {
    cancel::check();
    const ssize_t n = read(fd, out.data(), out.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw system_error("read '" + name.string() + "'", errno);
  }
}

Streams::Streams(const Restic& restic, std::size_t files, const fs::path& scratch, KnownSums sums)
    : restic_{restic}, sums_{std::move(sums)}, many_{files > most_dumps} {
  if (!many_) return;
  try {
    if (const auto why = no_fuse_because(); !why.empty()) throw Error{why};
    repository_.emplace(restic, scratch);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& why) {
    log(Level::info,
        "a chain of many files is merged from copies in '" + scratch.string() + "': " + why.what());
  }
}

qcow2::Source Streams::open(const StoredFile& stored, Threads threads, SideBySide& dumps) const {
  if (!many_)
    return dumps.add(std::make_shared<Dump>(restic_, stored.snapshot, stored.path, threads));
  const auto path = repository_->file(stored);
  return [path, fd = std::make_shared<Fd>(open_file(path, O_RDONLY))](std::span<std::byte> out) {
    return read_some(fd->get(), out, path);
  };
}

bool Streams::check_all(const std::vector<StoredFile>& chain) const {
  return std::all_of(chain.begin(), chain.end(), [&](const auto& stored) {
    return !stored.merged && sums_.of(stored.path.filename()).has_value();
  });
}

std::optional<std::vector<qcow2::StreamReader>> Streams::open(
    const std::vector<StoredFile>& chain) const {
  if (many_ && !repository_) return std::nullopt;
  std::vector<qcow2::Source> sources;
  SideBySide dumps;
  for (const auto& stored : chain) {
    // The oldest has most of the disk, and all others wait for it.
    const auto threads = sources.empty() ? Threads::as_configured : Threads::one;
    auto source = open(stored, threads, dumps);
    sources.push_back(stored.merged ? std::move(source)
                                    : sums_.check(stored.path.filename(), std::move(source)));
  }
  std::vector<qcow2::StreamReader> readers;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto failed = std::make_shared<bool>(false);
    const auto source = [source = sources[i], failed](std::span<std::byte> out) {
      *failed = true;
      const auto size = source(out);
      *failed = false;
      return size;
    };
    try {
      readers.emplace_back(source, chain[i].path.string());
    } catch (const Error&) {
      if (*failed) throw;
      return std::nullopt;
    }
  }
  return readers;
}

}  // namespace restic
