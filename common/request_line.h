// SPDX-License-Identifier: Apache-2.0
// The request of a helper: one line on its stdin, which the caller then holds open.
#pragma once

#include <cstddef>
#include <string>

// The line, with its newline.  The caller sends nothing behind it before he is answered, so whole
// reads lose nothing.  Throws BadRequest when it is longer than that, or the input ends before it
// does; quotes nothing of it.
std::string read_request_line(int fd, std::size_t longest);
