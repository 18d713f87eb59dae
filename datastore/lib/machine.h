// SPDX-License-Identifier: Apache-2.0
// The machine on which a store's own program works: this one, or another through ssh.
//
// Both go through the helper datastore/host/run.  It gets its request on a stdin that we hold
// open, so that secrets are on no command line, and what it started ends when we do, however we
// end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/command.h"
#include "common/confine.h"
#include "datastore/lib/memory_dir.h"

// What the helper is asked for; on the wire one line of base64.
struct RunRequest {
  std::vector<std::string> argv;           // run this program, its status is the helper's ...
  std::map<std::string, std::string> env;  // ... with these variables in its environment
  std::string list;                        // or, if not empty: print what this directory holds
  // The program's output is text, and goes through the helper.  Otherwise the program writes to
  // our pipe by itself, which is cheaper.
  bool lines = false;
  // If this directory is a view (of backup_host), a cancellation breaks it: whoever waits in a read
  // of it could not obey.
  std::string view{};
  std::optional<confine::Order> order{};  // the program may cost the machine no more than that
  std::optional<MemoryDir> temporary{};   // its TMPDIR, if that machine finds it fit
  // The program's stdin, which is then held open: its end is another way to be asked to end.
  std::string input{};

  static RunRequest decode(std::string_view line);  // BadRequest, whose text quotes nothing
  std::string encode() const;                       // with its newline
  // What to execute here: the program as tool_path() finds it.
  std::vector<std::string> command_line() const;
};

struct DirectoryEntry {
  std::string name;
  std::uint64_t size = 0;
  bool regular = false;  // a plain file, no link
  bool view = false;     // its bytes are made when it is read: it lies in a view of backup_host
};

std::vector<DirectoryEntry> list_directory(const std::filesystem::path& directory);
std::string to_json(const std::vector<DirectoryEntry>& entries);
std::vector<DirectoryEntry> entries_from_json(std::string_view text);  // throws Error

// `name` of a store's program: <root>/datastore/<name>/<name> if that can be executed, else from
// PATH.
std::string tool_path(const std::string& name);

class Machine {
 public:
  Machine() = default;  // this one
  explicit Machine(const std::string& host);

  bool here() const { return host_.empty(); }
  const std::string& host() const { return host_; }  // as ssh knows it; empty: here
  std::string name() const { return here() ? "this machine" : "'" + host_ + "'"; }

  // The request's program, looked up by tool_path() over there, ready to run.
  // `words` come before it: it is run by them.
  Command command(const RunRequest& request, const std::vector<std::string>& words = {}) const;
  // The path over there of a program of our own tree: "datastore/rsync/send".
  std::string program(const std::string& name) const;
  // What to start there, for who feeds it the request himself.
  std::vector<std::string> helper() const;
  std::vector<DirectoryEntry> list(const std::filesystem::path& directory) const;

 private:
  std::string host_;  // empty: here
};
