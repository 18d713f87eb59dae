// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/stock_steps.h"

#include <gtest/gtest.h>

namespace {

using datastore::is_stock_step;
using Words = std::vector<std::string>;

const datastore::Deployed vm{
    .location = {.host = "kvm1", .dir = "/ds/0/12"}, .deploy_id = "one-12", .vm_id = 12};

Words step(const std::string& script) {
  return {"ruby", script, "kvm1:/ds//0/12", "0:2", "one-12", "-", "12", "0"};
}

TEST(StockStep, IsFoundByItsExactWords) {
  EXPECT_TRUE(is_stock_step(step("/var/lib/one/remotes/tm/qcow2/prebackup_live"), vm));
  EXPECT_TRUE(is_stock_step(step("/var/lib/one/remotes/tm/ssh/prebackup"), vm));
  EXPECT_TRUE(is_stock_step(step("/srv/one/var/remotes/datastore/restic/backup"), vm));
  auto other = step("/remotes/datastore/restic/backup");
  other[0] = "/usr/bin/ruby3.1";
  EXPECT_TRUE(is_stock_step(other, vm));
  other.erase(other.begin() + 5);  // without a backup job
  EXPECT_TRUE(is_stock_step(other, vm));
}

TEST(StockStep, IsNotOneThatTidiesUp) {
  for (const auto* script : {"/remotes/tm/qcow2/postbackup_live", "/remotes/tm/qcow2/postbackup",
                             "/remotes/datastore/restic/backup_cancel", "/remotes/vmm/kvm/backup",
                             "/remotes/tm/qcow2/backup", "backup", ""})
    EXPECT_FALSE(is_stock_step(step(script), vm)) << script;
}

TEST(StockStep, IsNotThatOfAnotherVm) {
  const std::string script = "/remotes/datastore/restic/backup";
  const std::pair<std::size_t, std::string> others[] = {
      {2, "kvm1:/ds/0/120"}, {2, "kvm2:/ds/0/12"}, {2, "kvm1"}, {4, "one-120"},
      {4, "one-1"},          {6, "120"},           {0, "bash"}};
  for (const auto& [at, word] : others) {
    auto words = step(script);
    words[at] = word;
    EXPECT_FALSE(is_stock_step(words, vm)) << word;
  }
  EXPECT_FALSE(is_stock_step({}, vm));
  EXPECT_FALSE(is_stock_step({"ruby", script}, vm));
}

}  // namespace
