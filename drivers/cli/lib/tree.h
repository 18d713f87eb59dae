// SPDX-License-Identifier: Apache-2.0
// The words that vmvault understands, and what each command does.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/one/rpc.h"
#include "drivers/cli/lib/app.h"

namespace cli {

// What a command works with.
class Context {
 public:
  std::string uri;       // --connect; empty: as it is configured
  std::string endpoint;  // --endpoint; empty: ONE_XMLRPC, or the socket of this machine's service
  const CLI::App* root = nullptr;

  // The state on this machine, opened when it is first asked for.
  App& app();

  // May what there is be read from the state file, and be the answer?
  bool reads_state();
  // The service that orders go to; nullptr: none runs here, and none is named.
  const Core* running_service();
  // The same, or an Error with the remedy.
  const Core& service();

 private:
  std::string named_endpoint() const;

  std::optional<App> app_;
  bool looked_ = false;
  std::optional<Core> service_;
};

struct Tree {
  CLI::App root{"Back up virtual machines of this libvirt host, and restore them", "vmvault"};
  Context context;
  std::function<void(Context&)> work;  // of the command that was given

  Tree();
  Tree(const Tree&) = delete;

  // `verb` does `what` with the options that it has read.
  template <class Options, class Work>
  void does(CLI::App* verb, const std::shared_ptr<Options>& options, Work what) {
    verb->final_callback(
        [this, options, what] { work = [options, what](Context& with) { what(with, *options); }; });
  }
};

// A program's words, done.  BadRequest for words that are none.
int run(int argc, char** argv);

// What an argument is, for --help and for completion (CLI::Option::type_name).
namespace type {
inline constexpr const char* image = "IMAGE";
inline constexpr const char* domain = "DOMAIN";
inline constexpr const char* datastore = "DATASTORE";
inline constexpr const char* file = "FILE";
inline constexpr const char* directory = "DIR";
inline constexpr const char* number = "N";
inline constexpr const char* text = "TEXT";
}  // namespace type

// The commands, by what they are about.
void add_backup_commands(Tree& tree);  // backup, restore, list...: of a machine without a service

}  // namespace cli
