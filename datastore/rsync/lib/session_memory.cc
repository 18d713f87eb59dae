// SPDX-License-Identifier: Apache-2.0
// libssh2 keeps all that comes until somebody asks for it: what nobody will ever ask for must have
// an end.
#include <malloc.h>

#include <cstdlib>

#include "datastore/rsync/lib/session.h"

namespace rsync {
namespace {

// The windows of many channels, and what SFTP has on its way, are less.
constexpr std::size_t most = std::size_t{256} << 20;

}  // namespace

LIBSSH2_ALLOC_FUNC(Session::allocate) { return reallocate(nullptr, count, abstract); }

LIBSSH2_REALLOC_FUNC(Session::reallocate) {
  auto& session = *static_cast<Session*>(*abstract);
  const auto had = malloc_usable_size(ptr);
  if (count > most || session.memory_ > most - count) {
    session.flooded_ = true;
    return nullptr;
  }
  void* memory = std::realloc(ptr, count);
  if (memory != nullptr) session.memory_ += malloc_usable_size(memory) - had;
  return memory;
}

LIBSSH2_FREE_FUNC(Session::release) {
  static_cast<Session*>(*abstract)->memory_ -= malloc_usable_size(ptr);
  std::free(ptr);
}

}  // namespace rsync
