// SPDX-License-Identifier: Apache-2.0
// The persistent dirty bitmaps inside a qcow2 file, through qemu-img.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace host {

struct Bitmap {
  std::string name;
  bool in_use = false;   // not stored properly by whoever had the image open: worthless
  bool enabled = false;  // records writes ("auto")
};

struct ImageInfo {
  std::uint64_t virtual_size = 0;
  std::vector<Bitmap> bitmaps;
  bool encrypted = false;  // within the qcow2 file: without its key nobody reads it
};

enum class Access {
  exclusive,  // nobody may have the image open for writing
  shared,     // qemu may be running on it: what is read may be old
};

// The format is given, never guessed.  Throws Error that names the file; exclusive: also when
// somebody has it open for writing.
ImageInfo image_info(const std::filesystem::path& file, const std::string& format, Access access);

// These insist on exclusive use, too.
void add_bitmap(const std::filesystem::path& file, const std::string& name);
void remove_bitmap(const std::filesystem::path& file, const std::string& name);

}  // namespace host
