// SPDX-License-Identifier: Apache-2.0
#include "common/answer.h"

#include <cerrno>
#include <cstdio>

#include "common/error.h"

void finish_answer() {
  const bool lost = std::ferror(stdout) != 0;
  if (std::fflush(stdout) != 0) throw system_error("write the answer", errno);
  if (lost) throw Error{"cannot write the answer: a part of it was lost"};
}
