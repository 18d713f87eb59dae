// SPDX-License-Identifier: Apache-2.0
// What an rsync datastore has on its server: keeps the backups there, takes uploads, merges and
// checks.  What it is asked stands in datastore/rsync/lib/protocol.h.
//
// It is linked statically, since it is copied to machines where nothing else of us is.

#include <openssl/crypto.h>
#include <unistd.h>

#include <iostream>

#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/request_line.h"
#include "datastore/rsync/lib/server_requests.h"

int main() {
  try {
    cancel::install();
    // What this machine has configured may name modules that cannot be loaded from here.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    forbid_core_dumps();
    const auto request =
        rsync::decode_request(read_request_line(STDIN_FILENO, rsync::longest_request));
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
