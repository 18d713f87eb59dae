// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/verify_chain.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/error.h"

namespace rsync {
namespace {

using Files = std::map<std::string, std::string>;

class VerifyChain : public testing::Test {
 protected:
  nlohmann::json verify(const std::string& depth) {
    const Backups backups{
        .files = [&](const std::string& name) -> std::optional<StoredChain::Sizes> {
          if (!there_.contains(name)) return std::nullopt;
          StoredChain::Sizes sizes;
          for (const auto& [file, text] : there_[name]) sizes[file] = text.size();
          return sizes;
        },
        .open =
            [&](const std::string& name, const std::string& file) {
              if (file == broken_) throw Error{"input/output error"};
              return [text = there_[name][file],
                      at = std::make_shared<std::size_t>(0)](std::span<std::byte> out) {
                const auto n = std::min(out.size(), text.size() - *at);
                std::memcpy(out.data(), text.data() + *at, n);
                *at += n;
                return n;
              };
            },
        .any = [&] { return !there_.empty(); }};
    return nlohmann::json::parse(verify_chain(Chain::parse("0:aaaaaa"), depth, {}, backups));
  }

  std::map<std::string, Files> there_{
      {"aaaaaa", {{"vm.xml", base64_encode("<VM><ID>1</ID></VM>\n")}, {"rsig.0.0", "x"}}}};
  std::string broken_;
};

TEST_F(VerifyChain, WhatIsGoodHasNoProblem) {
  const auto report = verify("data");
  EXPECT_EQ(report["repository"], "");
  EXPECT_EQ(report["increments"][0]["problem"], "");
  EXPECT_EQ(report["increments"][0]["snapshot"], "aaaaaa");
}

TEST_F(VerifyChain, SaysWhatIsMissingOrDamaged) {
  there_["aaaaaa"]["vm.xml"] = base64_encode("<VM><ID>1");
  EXPECT_EQ(verify("data")["increments"][0]["problem"], "its vm.xml is damaged");
  EXPECT_EQ(verify("structure")["increments"][0]["problem"], "");
  broken_ = "vm.xml";
  EXPECT_EQ(verify("data")["increments"][0]["problem"],
            "vm.xml cannot be read: input/output error");
  there_["aaaaaa"].erase("vm.xml");
  EXPECT_EQ(verify("structure")["increments"][0]["problem"], "the backup aaaaaa has no vm.xml");
  there_.erase("aaaaaa");
  there_["bbbbbb"] = {};
  EXPECT_EQ(verify("structure")["increments"][0]["problem"], "the backup aaaaaa is not there");
}

TEST_F(VerifyChain, NothingAtAllIsNoDamage) {
  there_.clear();
  EXPECT_THROW(verify("structure"), Error);
}

}  // namespace
}  // namespace rsync
