// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/store.h"

#include "common/error.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/rsync/lib/merged_part.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/server_chain.h"

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{16} << 20;

}  // namespace

bool Store::Found::is_merged(const Increment& increment) const {
  const auto it = files.find(increment.source);
  return it != files.end() && it->second.contains(flat_document);
}

Store::Found Store::find(int vm, const Chain& chain) {
  std::vector<std::string> names;
  for (const auto& one : chain.increments())
    if (is_backup_name(one.source)) names.push_back(one.source);
  Found found{.chain = chain, .files = names.empty() ? Listing{} : list(vm, names)};
  found.chain = from_last_merged(chain, [&](const auto& one) { return found.is_merged(one); });
  for (const auto& one : found.chain.increments())
    if (!found.files.contains(one.source))
      throw Error{"the backup " + one.source + " is not in " + settings_.place(vm)};
  return found;
}

qcow2::Source Store::open_disk(int vm, const Found& found, int disk) {
  const auto& last = found.chain.last();
  const auto file = disk_file_of(found.files.at(last.source), disk, last);
  if (found.chain.increments().size() == 1 && !is_rbd_export(file))
    return open(vm, name_of(last), file);
  return open_merged(vm, found.chain, disk);
}

std::string disk_file_of(const Store::Sizes& files, int disk, const Increment& increment) {
  for (const auto& name : names_of_disk(disk, increment.id))
    if (files.contains(name)) return name;
  throw Error{"the backup " + increment.source + " has no file '" + disk_file(disk, increment) +
              "'"};
}

std::string Store::read(int vm, const std::string& name, const std::string& file) {
  const auto source = open(vm, name, file);
  std::string text;
  std::vector<std::byte> buffer(std::size_t{1} << 16);
  while (const auto n = source(buffer)) {
    text.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (text.size() > longest_document)
      throw Error{"'" + file + "' of the backup " + name + " is too large for a document"};
  }
  return text;
}

}  // namespace rsync
