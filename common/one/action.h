// SPDX-License-Identifier: Apache-2.0
// What every driver action has in common.
//
// An action is a function from a request to a reply.  run_action() does the rest: it
// checks the arguments against the contract, reads stdin, prints the reply, and turns an
// Error into the one line that the core shows to the user.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/one/xml.h"

enum class Input {
  base64_xml,  // one line of base64, decoded leniently
  xml,         // an XML document, to the end of stdin
  none,        // stdin is not read
};

enum class Failure {
  exit_status,  // an Error ends the program with its status
  reported,     // an Error is reported on stderr, and the program exits 0 all the same
};

struct Contract {
  std::string_view name;     // as installed: "datastore/rsync/monitor"
  std::string_view summary;  // one line, no full stop
  std::string_view args;     // "HOST:DIR DISKS VM_ID [JOB]": the words are the argument names,
                             // those in brackets may be missing
  Input input = Input::base64_xml;
  std::string_view reply;          // what stdout carries, in POD
  std::string_view description{};  // more for the manual page, in POD
  Failure failure = Failure::exit_status;
};

class Request {
 public:
  Request(std::map<std::string, std::string> args, std::vector<std::string> words,
          std::optional<Xml> document, std::string input = {})
      : args_{std::move(args)},
        words_{std::move(words)},
        document_{std::move(document)},
        input_{std::move(input)} {}

  // An argument, by the name the contract gives it (without brackets; "" if it is missing).
  const std::string& operator[](const std::string& name) const;
  // The same as a number; BadRequest if it is none.
  std::int64_t number(const std::string& name) const;

  const std::vector<std::string>& words() const { return words_; }  // argv as it came
  const std::string& input() const { return input_; }               // stdin as it came
  // The document; throws std::logic_error for Input::none.
  const Xml& xml() const;

 private:
  std::map<std::string, std::string> args_;
  std::vector<std::string> words_;
  std::optional<Xml> document_;
  std::string input_;
};

// The reply, without its last newline; "" for none.
using Action = std::function<std::string(const Request&)>;

// Runs the action and returns the exit status for main().  `--pod` prints the manual page, `--help`
// a short form of it.
//
// On failure: nothing on stdout, exactly one plain line on stderr ("<cause>", no prefix: the
// core joins plain lines and shows them to the user).
int run_action(const Contract& contract, int argc, char** argv, const Action& action);

// For an action that must know that its reply was taken: it writes it itself, as its last deed, and
// returns "".  Throws an Error when nobody takes it.
void write_reply(const std::string& reply);

// A line for the logs of the core, "INFO: <program>: text", on stderr at once.  It is not part
// of the error that the user sees (contract 2.5).  Never a secret.
enum class Level { error, warn, info, debug };
void log(Level level, std::string_view text);

// For actions that a driver does not support: reads stdin, fails as the contract's 3.8.12 says.
int unsupported(int argc, char** argv);
