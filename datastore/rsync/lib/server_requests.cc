// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_requests.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/sha256.h"
#include "datastore/lib/output.h"
#include "datastore/lib/space.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/receive.h"
#include "datastore/rsync/lib/receive_hash.h"
#include "datastore/rsync/lib/server_chain.h"
#include "datastore/rsync/lib/server_flatten.h"
#include "datastore/rsync/lib/server_repository.h"
#include "datastore/rsync/lib/server_verify.h"

using nlohmann::json;

namespace rsync {
namespace {

void answer(const json& document) {
  write_all(STDOUT_FILENO, to_text(document) + "\n", "write the answer");
}

void about() {
  const Fd self = open_file("/proc/self/exe", O_RDONLY);
  answer({{"version", protocol_version},
          {"sha256", hex(hash_of(self.get(), "/proc/self/exe").finish())}});
}

void space(const Request& request) {
  Dir::make_all(request.base);
  const auto space = Space::of(request.base);
  answer({{"used_mb", space.used_mb}, {"total_mb", space.total_mb}, {"free_mb", space.free_mb}});
}

void list(const Request& request) {
  json document = json::object();
  for (const auto& [name, files] : Repository{request.base, request.vm}.list(request.names)) {
    if (!files) {
      document[name] = nullptr;
      continue;
    }
    document[name] = json::array();
    for (const auto& file : *files)
      document[name].push_back({{"name", file.name}, {"size", file.size()}});
  }
  answer(document);
}

void read(const Request& request) {
  const auto fd = Repository{request.base, request.vm}.at().at(request.name).file(request.file);
  const auto size = size_of(fd.get(), request.file);
  posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::uint64_t left = size - std::min(size, request.offset);
  if (request.length) left = std::min(left, *request.length);
  Output output;
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (auto at = request.offset; left != 0;) {
    const auto count = std::min<std::uint64_t>(buffer.size(), left);
    const ssize_t n = pread(fd.get(), buffer.data(), count, static_cast<off_t>(at));
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) throw system_error("read '" + request.file + "'", n == 0 ? EIO : errno);
    output.write(std::span{buffer}.first(static_cast<std::size_t>(n)));
    at += static_cast<std::uint64_t>(n);
    left -= static_cast<std::uint64_t>(n);
  }
}

void merge_disk(const Request& request) {
  const auto vm = Repository{request.base, request.vm}.at();
  const auto files = OpenChain::open(vm, request.chain).files(request.disk);
  Output output;
  merge(files, qcow2::Hidden::left_out).write([&](std::span<const std::byte> bytes) {
    output.write(bytes);
  });
}

void flatten_chain(const Request& request) {
  const auto vm = Repository{request.base, request.vm}.at();
  const auto done = flatten(vm, request.chain, request.keep, request.known);
  answer({{"mib", done.mib}, {"chain", done.chain.text()}});
}

// Waits for the next bytes of an upload.  Error: they do not come, and the sender is here again.
void await_upload(const std::optional<Receive>& receiver) {
  constexpr std::chrono::seconds look_every{1}, silence{20};
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (;;) {
    pollfd come{STDIN_FILENO, POLLIN, 0};
    const int n = poll(&come, 1, std::chrono::milliseconds{look_every}.count());
    if (n > 0) return;
    if (n == -1 && errno != EINTR) throw system_error("wait for the upload", errno);
    if (Clock::now() - begin > silence && receiver && receiver->is_wanted_elsewhere())
      throw Error{"the upload goes on over another connection"};
  }
}

void receive(const Request& request) {
  const auto vm = Repository{request.base, request.vm}.make();
  std::optional<Receive> receiver;
  const auto input = [&](std::span<std::byte> out) {
    for (;;) {
      await_upload(receiver);
      const ssize_t n = ::read(STDIN_FILENO, out.data(), out.size());
      if (n == -1 && errno == EINTR) continue;
      if (n == -1) throw system_error("read the upload", errno);
      return static_cast<std::size_t>(n);
    }
  };
  const auto output = [](std::span<const std::byte> bytes) {
    write_all(STDOUT_FILENO, {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
              "answer the upload");
  };
  fcntl(STDIN_FILENO, F_SETPIPE_SZ, 1 << 20);  // fewer changes between sshd and us
  Wire wire{input, output};
  try {
    if (request.doing == "join")
      receiver.emplace(vm, request.upload, request.token, wire);
    else
      receiver.emplace(vm, request.upload, wire);
    receiver->run();
  } catch (const Error& error) {
    try {
      wire.send(encode(ServerMessage{Failure{error.what()}}));
      wire.flush();
    } catch (const Error&) {
      // It has gone; our stderr says the same.
    }
    throw;
  }
}

}  // namespace

void serve(const Request& request) {
  const auto& doing = request.doing;
  if (doing == "about") return about();
  if (doing == "space") return space(request);
  if (doing == "list") return list(request);
  if (doing == "read") return read(request);
  if (doing == "remove")
    return answer({{"removed", Repository{request.base, request.vm}.remove(request.names)}});
  if (doing == "merge") return merge_disk(request);
  if (doing == "flatten") return flatten_chain(request);
  if (doing == "receive" || doing == "join") return receive(request);
  if (doing == "verify")
    return write_all(STDOUT_FILENO, server_verify(request) + "\n", "write the answer");
  throw BadRequest{"the server cannot do '" + one_line(doing) + "'"};
}

}  // namespace rsync
