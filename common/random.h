// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

// So many hexadecimal digits that nobody can guess.
std::string random_hex(int digits);
