// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/header.h"

#include <gtest/gtest.h>

#include <array>

#include "common/error.h"

namespace {

class Header : public testing::Test {
 protected:
  Header() {
    const unsigned char start[] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
    std::copy(std::begin(start), std::end(start), reinterpret_cast<unsigned char*>(bytes_.data()));
  }
  void check(Backing backing = Backing::refused) const {
    check_header(bytes_, "disk.0.0", backing);
  }

  std::array<std::byte, header_size> bytes_{};
};

TEST_F(Header, AnImageOfItsOwnIsFine) { EXPECT_NO_THROW(check()); }

TEST_F(Header, ABackingFileIsRefusedWhereNobodyOverridesIt) {
  bytes_[15] = std::byte{1};
  EXPECT_THROW(check(), Error);
  EXPECT_NO_THROW(check(Backing::overridden));
}

TEST_F(Header, AnExternalDataFileIsAlwaysRefused) {
  bytes_[79] = std::byte{4};
  EXPECT_THROW(check(Backing::overridden), Error);
  bytes_[7] = std::byte{2};  // no such field yet
  EXPECT_NO_THROW(check());
}

TEST_F(Header, OtherAndShortFilesAreRefused) {
  EXPECT_THROW(check_header(std::span{bytes_}.first(79), "disk.0.0", Backing::refused), Error);
  bytes_[0] = std::byte{0};
  EXPECT_THROW(check(), Error);
}

}  // namespace
