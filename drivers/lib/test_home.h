// SPDX-License-Identifier: Apache-2.0
// For tests: a state with one machine, and a tree of datastore drivers that the test writes.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "common/file.h"
#include "common/test_env.h"
#include "drivers/lib/home.h"
#include "drivers/lib/store.h"

namespace state {

class HomeTest : public testing::Test {
 protected:
  HomeTest() {
    home.prepare();
    store.put_datastore({.id = default_datastore, .name = "default", .ds_mad = "restic"});
  }
  // A script.
  void action(const std::string& driver, const std::string& name, const std::string& text) {
    const auto folder = dir.path() / "remotes/datastore" / driver;
    std::filesystem::create_directories(folder);
    write_file(folder / name, "#!/bin/sh\n" + text + "\n", 0755);
  }

  TempDir dir;
  ScopedEnv remotes{"VMVAULT_REMOTES", (dir.path() / "remotes").string()};
  Home home{dir.path() / "var"};
  Store store{[this] {
    std::filesystem::create_directory(dir.path() / "var");
    return home.database();
  }()};
  int vm = store.vm_for("u0", "web").id;
};

}  // namespace state
