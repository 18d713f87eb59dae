// SPDX-License-Identifier: Apache-2.0
// Speaking to the core in the name of one of its users (contract 2.12): the core's service account
// vouches for him with a token that holds for some minutes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What encrypts "<account>:<user>:<expiry>" with a key made of the account's password, as base64.
// Throws Error when OpenSSL cannot.
std::string server_token(std::string_view account, std::string_view password, std::string_view user,
                         std::int64_t expiry);

// Is it such a token, for this user, and does it hold at `now`?
bool is_server_token(std::string_view token, std::string_view account, std::string_view password,
                     std::string_view user, std::int64_t now);

// "<account>:<user>:<token>", valid for ten minutes: longer than the core waits for any of its
// drivers.  The account is that of ONE_CIPHER_AUTH, or of $VAR/.one/onegate_auth.  Throws Error,
// naming the file, when it is of no use, and BadRequest for a user whose name holds a colon.
std::string server_session(const std::string& user);
