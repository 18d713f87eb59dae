// SPDX-License-Identifier: Apache-2.0
// The core's XML-RPC interface, as its API clients use it (contract 2.10 and 2.12).
#pragma once

#include <chrono>
#include <string>

struct Core {
  std::string endpoint;  // a URL
  std::string session;   // "user:password": never to be shown

  // From ONE_XMLRPC and ONE_AUTH, or the files that stand in for them.  Throws Error, naming what
  // it looked for.
  static Core from_environment();

  // The endpoint without credentials, for messages.
  std::string name() const;
  // Calls method(session, id, decrypt=true) and returns the text that the core answers.  Throws
  // Error, with the core's words but never the session, or Cancelled.
  std::string info(const std::string& method, int id, std::chrono::seconds limit) const;
  // The same for one.imagepool.info: the images of all users, `count` of them after the first
  // `offset`.
  std::string images(int offset, int count, std::chrono::seconds limit) const;
};
