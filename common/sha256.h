// SPDX-License-Identifier: Apache-2.0
// SHA-256 as text: 64 hexadecimal digits, lower case.
#pragma once

#include <string>
#include <string_view>

#include "common/sums.h"

std::string hex(const sums::Sum& sum);
std::string sha256_of(std::string_view bytes);
