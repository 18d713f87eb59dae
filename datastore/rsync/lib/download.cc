// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/download.h"

#include <unistd.h>

#include <functional>

#include "common/error.h"
#include "common/file.h"
#include "datastore/lib/known_sums.h"
#include "datastore/lib/pass_on.h"
#include "datastore/rsync/lib/protocol.h"

namespace rsync {
namespace {

void require_files(const Store::Found& found, int disk) {
  for (const auto& one : found.chain.increments())
    disk_file_of(found.files.at(one.source), disk, one);
}

// What is merged is not what its capture was.
bool have_sums(const KnownSums& sums, const Store::Found& found, int disk) {
  for (const auto& one : found.chain.increments())
    if (!found.is_merged(one) && sums.of(disk_file(disk, one))) return true;
  return false;
}

// Here, from the files themselves, since only we know the checksums.  false, and nothing is
// written: one of them is not of sequential layout, so it is none of vmvault's.
bool stream_checked(Store& store, int vm, const Store::Found& found, int disk,
                    const KnownSums& sums) {
  std::vector<qcow2::StreamReader> readers;
  for (const auto& one : found.chain.increments()) {
    const auto file = disk_file(disk, one);
    auto bytes = store.open(vm, one.source, file);
    if (!found.is_merged(one)) bytes = sums.check(file, std::move(bytes));
    const auto failed = std::make_shared<bool>(false);
    const auto source = [failed, bytes](std::span<std::byte> out) {
      *failed = true;
      const auto n = bytes(out);
      *failed = false;
      return n;
    };
    try {
      readers.emplace_back(source, file);
    } catch (const Error&) {
      if (*failed) throw;
      return false;
    }
  }
  qcow2::Merge merged{std::move(readers)};
  CountedOutput sink{merged.plan().file_size()};
  merged.write(std::ref(sink));
  return true;
}

}  // namespace

void stream_disk(Store& store, const DiskUrl& url) {
  const int vm = vm_of(url, store.settings());
  const auto found = store.find(vm, url.chain);
  if (!url.is_disk()) {
    const auto file = url.path.filename().string();
    pass_on(store.open(vm, url.chain.last().source, file), file, Content::document);
    return;
  }
  const int disk = url.disk_id();
  require_files(found, disk);
  const bool few = found.chain.increments().size() <= store.most_open();
  const auto sums = KnownSums::in_environment();
  if (few && have_sums(sums, found, disk) && stream_checked(store, vm, found, disk, sums)) return;
  pass_on(store.open_disk(vm, found, disk), disk_file(disk, url.chain.last()), Content::image);
}

void write_document(Store& store, const DiskUrl& url, const std::string& name) {
  if (!is_file_name(name)) throw BadRequest{"not the name of a file: '" + one_line(name) + "'"};
  const int vm = vm_of(url, store.settings());
  const auto text = store.read(vm, name_of(url.chain.last()), name);
  write_all(STDOUT_FILENO, text, "write '" + name + "'");
}

}  // namespace rsync
