// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/flat_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "common/one/flat_result.h"
#include "common/one/sums_file.h"
#include "common/sums.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/rsync/lib/server_repository.h"
#include "datastore/rsync/lib/side_files.h"
#include "datastore/rsync/lib/sparse_writer.h"

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{1} << 30;

void make_durable(const Fd& fd, const std::string& name) {
  if (fsync(fd.get()) != 0) throw_write_error("write '" + name + "'", errno);
}

// As it was; the merged disk is read by whoever could read the last one.
void take_mode(const Dir& from, const std::string& name, const Fd& fd) {
  if (const auto info = from.status(name)) fchmod(fd.get(), info->st_mode & 0777);
}

void write_text(const Dir& from, const Dir& to, const std::string& name, const std::string& text) {
  const Fd fd = to.create(name);
  SparseWriter writer{fd.get(), to.in(name), 0, Zeros::left_out};
  writer.add(std::as_bytes(std::span{text}));
  writer.finish();
  take_mode(from, name, fd);
  make_durable(fd, to.in(name));
}

// The size of the merged disk's file.
std::uint64_t write_disk(const OpenChain& chain, int disk, const Dir& to, const Texts& known) {
  const auto& first = chain.parts().front();
  const auto& last = chain.parts().back();
  const auto name = disk_file(disk, last.increment.id);
  const auto files = chain.checked_files(disk, known);
  auto merged = checked_merge(files, qcow2::Hidden::zero);
  const auto size = merged.plan().file_size();
  const Fd fd = to.create(name);
  SparseWriter writer{fd.get(), to.in(name), 0, Zeros::left_out};
  std::optional<SideFiles> side;
  if (first.dir.status(*blocks_name(disk_file(disk, first.increment.id)))) side.emplace(size);
  const bool proven = std::all_of(files.begin(), files.end(),
                                  [](const auto& file) { return file.sums.has_value(); });
  std::optional<sums::Writer> sums;
  if (proven) sums.emplace();
  merged.write([&](std::span<const std::byte> bytes) {
    writer.add(bytes);
    if (side) side->add(bytes);
    if (sums) sums->add(bytes);
  });
  writer.finish();
  take_mode(last.dir, name, fd);
  make_durable(fd, to.in(name));
  if (sums) write_text(last.dir, to, sums_file(name), sums->finish());
  if (side) {
    side->finish();
    write_text(last.dir, to, *signature_name(name), side->signature());
    write_text(last.dir, to, *blocks_name(name), side->blocks());
  }
  return size;
}

// Files of the last increment that say nothing of the merged one.
bool is_of_the_increment(const std::string& name) {
  return is_sums_file(name) || name.starts_with("rsig.") || name.starts_with("blocks.") ||
         name == flat_document || is_rbd_export(name);
}

}  // namespace

void write_flat(const OpenChain& chain, const Dir& to, const Texts& known) {
  const auto& last = chain.parts().back();
  const auto others = files_of(last.dir);
  const auto disks = chain.disks();
  if (disks.empty()) throw Error{"there are no disks in '" + last.dir.path() + "'"};
  std::map<int, std::uint64_t> sizes;
  for (const int disk : disks) sizes[disk] = write_disk(chain, disk, to, known);
  for (const auto& file : others) {
    if (is_of_the_increment(file.name) || to.status(file.name)) continue;
    auto text = last.dir.text(file.name, longest_document);
    if (file.name == result_document) text = flat_result(text, sizes);
    write_text(last.dir, to, file.name, text);
  }
  struct stat info {};
  if (fstat(last.dir.fd(), &info) == 0) fchmod(to.fd(), info.st_mode & 0777);
  to.sync();
}

std::uint64_t disk_mib(const Dir& backup) {
  std::uint64_t bytes = 0;
  for (const auto& file : files_of(backup))
    if (blocks_name(file.name)) bytes += file.size();
  return std::max<std::uint64_t>(1, (bytes + (std::uint64_t{1} << 20) - 1) >> 20);
}

}  // namespace rsync
