// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// Standard alphabet (RFC 4648, section 4), padded, on one line.
std::string base64_encode(std::string_view bytes);

// Lenient as the core's own decoder: line breaks and missing padding are accepted,
// what follows the padding is ignored.  Throws BadRequest on anything else odd.
std::string base64_decode(std::string_view text);
