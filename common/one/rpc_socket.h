// SPDX-License-Identifier: Apache-2.0
// XML-RPC over a unix socket, which no client library of Debian 12 speaks.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "common/error.h"

// Nobody listens there: nothing was asked.
struct NobodyThere : Error {
  using Error::Error;
};

// POSTs `body` (HTTP/1.0) to what listens on the socket, and returns the body of its answer, which
// is at most 64 MiB.  Throws Error, also for an answer that is not whole or not 200; NobodyThere;
// Cancelled, unless `stops` is false.
std::string post_to_socket(const std::filesystem::path& socket, const std::string& body,
                           std::chrono::seconds limit, bool stops = true);
// Does anybody listen there, to whom this user may speak?
bool somebody_listens(const std::filesystem::path& socket);
// GETs `path`.
std::string get_from_socket(const std::filesystem::path& socket, const std::string& path,
                            std::chrono::seconds limit);
