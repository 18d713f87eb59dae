// SPDX-License-Identifier: Apache-2.0
// Where the core is, and who asks it, as its own tools find that out (contract 2.10).
#pragma once

#include <filesystem>
#include <string>

namespace rpc {

// "user:password" from the file that ONE_AUTH names; without that from `first`, ~/.one/one_auth, or
// the core's own.  Throws Error, naming where it looked.
std::string session(const std::filesystem::path& first = {});

// ONE_XMLRPC, ~/.one/one_endpoint, or the core of this machine.
std::string endpoint();

}  // namespace rpc
