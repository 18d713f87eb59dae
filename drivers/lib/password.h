// SPDX-License-Identifier: Apache-2.0
// Passwords and other secrets as they may lie in a file.
#pragma once

#include <string>
#include <string_view>

// Of a person's password: scrypt with a salt of its own, and its parameters ("scrypt:14:8:1:...").
// Takes some hundredths of a second and 16 MiB, on purpose.
std::string hash_password(std::string_view password);
// Is it that one?  In the same time for any password; false for a hash that cannot be read.
bool is_password(std::string_view password, std::string_view hash);

// Of a secret that nobody can guess, which needs no salt: SHA-256 in hexadecimal digits.
std::string digest(std::string_view secret);

// In a time that depends on the lengths alone.
bool same_secret(std::string_view one, std::string_view other);
