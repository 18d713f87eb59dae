// SPDX-License-Identifier: Apache-2.0
// A process, and not another one that came to have its number later.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/handle.h"

struct Process {
  pid_t pid = -1;
  std::string start;  // in ticks since the boot
  std::string boot;
  bool operator==(const Process&) const = default;

  // The one with this number now; nullopt for none, and for one that is dead but not yet collected.
  static std::optional<Process> living(pid_t pid);
  static Process self();  // throws Error

  // "<pid> <start> <boot>", with a newline, and back; nullopt for anything else.
  std::string text() const;
  static std::optional<Process> parse(const std::string& text);

  bool alive() const { return living(pid) == *this; }
  // A descriptor of it, readable when it has ended; none if it has ended.
  Fd open() const;
  // False: it had ended.  Throws Error when it must not be signalled.
  bool signal(int number) const;

  // What it was started with, and the name that ps knows it by; empty if they cannot be read.
  std::vector<std::string> arguments() const;
  std::string name() const;
};

// The numbers of all processes that we can see.
std::vector<pid_t> all_processes();
