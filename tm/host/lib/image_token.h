// SPDX-License-Identifier: Apache-2.0
// Whose a bitmap is.  Another vmvault that works on the same machine has numbers of its own, and so
// perhaps bitmaps of the same names; an image may be put back with what it had long ago.  So a word
// that nobody else has lies beside each of our bitmaps, in an attribute of the image file:
// "user.vmvault.<bitmap>".
#pragma once

#include <filesystem>
#include <string>

namespace host {

// A new one, before the bitmap is made.  Where the file system has no attributes there is none.
void leave_token(const std::filesystem::path& image, const std::string& bitmap);
// Empty: there is none, or it cannot be read.
std::string token_of(const std::filesystem::path& image, const std::string& bitmap);
// Takes away those of the VM's bitmaps, but of these two.
void sweep_tokens(const std::filesystem::path& image, int vm_id, const std::string& kept,
                  const std::string& own);

}  // namespace host
