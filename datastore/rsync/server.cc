// SPDX-License-Identifier: Apache-2.0
// What an rsync datastore has on its server: keeps the backups there, takes uploads, merges and
// checks.  What it is asked stands in datastore/rsync/lib/protocol.h.
//
// It is linked statically, since it is copied to machines where nothing else of us is.

#include <openssl/crypto.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "datastore/rsync/lib/server_requests.h"

namespace {

// Who asks says nothing behind this line before it is answered, so whole reads lose nothing.
std::string read_line() {
  std::string line;
  char buffer[65536];
  while (line.empty() || line.back() != '\n') {
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read the request", errno);
    if (n == 0) throw BadRequest{"the request ended before its line did"};
    line.append(buffer, static_cast<std::size_t>(n));
    if (line.size() > rsync::longest_request) throw BadRequest{"the request is too long"};
  }
  return line;
}

}  // namespace

int main() {
  try {
    cancel::install();
    // What this machine has configured may name modules that cannot be loaded from here.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    forbid_core_dumps();
    const auto request = rsync::decode_request(read_line());
    // Whoever only wants to know who we are need not wait for it.
    if (request.doing != "about") cancel::watch(STDIN_FILENO);
    rsync::serve(request);
    return 0;
  } catch (const Error& error) {
    std::cerr << one_line(error.what()) << std::endl;
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << one_line(error.what()) << std::endl;
    return static_cast<int>(Exit::failed);
  }
}
