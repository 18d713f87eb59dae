// SPDX-License-Identifier: Apache-2.0
// The core's XML-RPC interface, as its API clients use it (contract 2.10 and 2.12).
#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "common/error.h"

// What the core itself answered: it has done nothing.  Any other Error of a call leaves that open.
struct Refused : Error {
  using Error::Error;
};

// What a method is given besides the session.
using RpcArguments = std::vector<std::variant<int, bool, std::string>>;

struct Core {
  std::string endpoint;  // a URL; "unix:/PATH" of a socket
  std::string session;   // "user:password": never to be shown

  // From ONE_XMLRPC and ONE_AUTH, or the files that stand in for them.  Throws Error, naming what
  // it looked for.
  static Core from_environment();
  // The same core, as `user`: with a token that the core's own service account signs.
  static Core as_user(const std::string& user);

  // The endpoint without credentials, for messages.
  std::string name() const;

  // Any method that answers a text, or a number; throw as info(), and Refused.
  std::string text(const std::string& method, const RpcArguments& arguments,
                   std::chrono::seconds limit) const;
  int number(const std::string& method, const RpcArguments& arguments,
             std::chrono::seconds limit) const;

  // Calls method(session, id, decrypt=true) and returns the text that the core answers.  Throws
  // Error, with the core's words but never the session, or Cancelled.
  std::string info(const std::string& method, int id, std::chrono::seconds limit) const;
  // The same, with what is secret still encrypted.
  std::string closed_info(const std::string& method, int id, std::chrono::seconds limit) const;
  // The same for one.imagepool.info: the images of all users, `count` of them after the first
  // `offset`.
  std::string images(int offset, int count, std::chrono::seconds limit) const;

  // Make an object of the session's user from template text; its id.  Throw as above, and Refused.
  int allocate_image(const std::string& words, int datastore_id, std::chrono::seconds limit) const;
  int allocate_template(const std::string& words, std::chrono::seconds limit) const;
  // These undo: a cancellation does not stop them.
  void delete_image(int id, std::chrono::seconds limit) const;
  void delete_template(int id, std::chrono::seconds limit) const;
};
