// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/store.h"

#include "common/error.h"
#include "datastore/rsync/lib/protocol.h"

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{16} << 20;

}  // namespace

Store::Listing Store::list_all_of(int vm, const Chain& chain) {
  std::vector<std::string> names;
  for (const auto& one : chain.increments())
    if (is_backup_name(one.source)) names.push_back(one.source);
  const auto found = names.empty() ? Listing{} : list(vm, names);
  for (const auto& one : chain.increments())
    if (!found.contains(one.source))
      throw Error{"the backup " + one.source + " is not in " + settings_.place(vm)};
  return found;
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
