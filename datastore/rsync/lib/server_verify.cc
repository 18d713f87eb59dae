// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_verify.h"

#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common/cancel.h"
#include "common/error.h"
#include "datastore/rsync/lib/server_chain.h"
#include "datastore/rsync/lib/server_repository.h"
#include "datastore/rsync/lib/verify_chain.h"

namespace rsync {
namespace {

qcow2::Source reader(Fd file, const std::string& name) {
  return [fd = std::make_shared<Fd>(std::move(file)), name](std::span<std::byte> out) {
    for (;;) {
      cancel::check();
      const ssize_t n = ::read(fd->get(), out.data(), out.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) throw system_error("read '" + name + "'", errno);
    }
  };
}

}  // namespace

std::string server_verify(const Request& request) {
  const Repository repository{request.base, request.vm};
  const Backups backups{.files = [&](const std::string& name) -> std::optional<StoredChain::Sizes> {
                          const auto found = repository.list({name}).at(name);
                          if (!found) return std::nullopt;
                          StoredChain::Sizes sizes;
                          for (const auto& file : *found) sizes[file.name] = file.size();
                          return sizes;
                        },
                        .open =
                            [&](const std::string& name, const std::string& file) {
                              return reader(repository.at().at(name).file(file), file);
                            },
                        .any = [&] { return !repository.list({}).empty(); }};
  const auto vm = repository.find();
  return verify_chain(vm ? standing(*vm, request.chain) : request.chain, request.depth,
                      request.known, backups);
}

}  // namespace rsync
