// SPDX-License-Identifier: Apache-2.0
#include "common/request_line.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/child.h"
#include "common/error.h"
#include "common/file.h"

namespace {

TEST(RequestLine, ComesInPiecesWhileTheInputStaysOpen) {
  Pipe pipe;
  const std::string text(200'000, 'x');
  std::jthread writer{[&] {
    write_all(pipe.write.get(), text, "write");
    write_all(pipe.write.get(), "y\n", "write");
  }};
  EXPECT_EQ(read_request_line(pipe.read.get(), 300'000), text + "y\n");
}

TEST(RequestLine, ItsEndMustCome) {
  Pipe pipe;
  write_all(pipe.write.get(), "half", "write");
  pipe.write.reset();
  EXPECT_THROW(read_request_line(pipe.read.get(), 100), BadRequest);
}

TEST(RequestLine, HasALimit) {
  Pipe pipe;
  write_all(pipe.write.get(), std::string(101, 'x') + "\n", "write");
  EXPECT_THROW(read_request_line(pipe.read.get(), 101), BadRequest);
}

}  // namespace
