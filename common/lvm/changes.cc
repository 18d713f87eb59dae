// SPDX-License-Identifier: Apache-2.0
#include "common/lvm/changes.h"

#include <algorithm>

#include "common/error.h"
#include "common/lvm/program.h"

namespace lvm {
namespace {

constexpr std::chrono::minutes longest_delta{30};

std::string pool_device(const Volume& pool) { return pool.mapper_name() + "-tpool"; }

void message(const Volume& pool, const std::string& words, const Access& access) {
  insist(program("dmsetup", {"message", pool_device(pool), "0", words}, access),
         "hold or release the metadata of the thin pool " + pool.display());
}

// "0 131072 thin-pool 1 113/1024 10/1024 44 rw ...": the seventh word is "-" if nothing is held.
bool holds_metadata(const std::string& status) {
  std::size_t at = 0;
  std::string word;
  for (int i = 0; i < 7; ++i) {
    at = status.find_first_not_of(" \n", at);
    if (at == status.npos) return false;
    const auto end = std::min(status.find_first_of(" \n", at), status.size());
    word = status.substr(at, end - at);
    at = end;
  }
  return word.find_first_not_of("0123456789") == word.npos;
}

}  // namespace

void release_metadata(const Volume& pool, const Access& access) {
  const auto status = program("dmsetup", {"status", pool_device(pool)}, access).run();
  if (status.ok() && holds_metadata(status.out)) message(pool, "release_metadata_snap", access);
}

MetadataSnapshot::MetadataSnapshot(Volume pool, const Access& access)
    : pool_{std::move(pool)}, access_{access} {
  release_metadata(pool_, access_);
  message(pool_, "reserve_metadata_snap", access_);
}

MetadataSnapshot::~MetadataSnapshot() {
  try {
    message(pool_, "release_metadata_snap", {.deadline = access_.deadline, .shielded = true});
  } catch (const Error&) {  // the next one releases it
  }
}

qcow2::Extents MetadataSnapshot::changes(const Sides& sides) const {
  DeltaReader reader{sides};
  auto command =
      plain_program("thin_delta",
                    {"--metadata-snap", "--thin1", std::to_string(sides.before), "--thin2",
                     std::to_string(sides.now), "/dev/mapper/" + pool_.mapper_name() + "_tmeta"},
                    access_);
  command.deadline(longest_delta).out_lines([&](std::string_view line) {
    reader.add(line);
    reader.add("\n");
  });
  insist(command, "compare thin volumes of the pool " + pool_.display());
  return reader.finish();
}

}  // namespace lvm
