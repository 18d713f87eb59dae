// SPDX-License-Identifier: Apache-2.0
// vmvault.json: what a capture says about itself.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

struct DiskResult {
  int id = -1;
  std::string target, file, kind, why;  // kind: full, increment, whole; why: if it is whole
  std::uint64_t virtual_size = 0, dirty_bytes = 0, read_bytes = 0;
  std::uint64_t file_size = 0;  // 0: it was merged, and nobody has said
  std::string format = {};      // of the machine's disk: qcow2, raw, rbd, lvm
};

// A file of the machine besides its disks.
struct DocumentResult {
  std::string what;       // "TPM state", "NVRAM"
  std::string file, why;  // no file: it is not in the backup; why not
  std::uint64_t size = 0;
};

struct CaptureResult {
  int vm = -1;
  int increment = -1;
  int parent = -1;  // the increment before; -1: it holds everything
  bool live = false;
  std::string freeze;  // NONE, AGENT, SUSPEND
  bool consistent = false;
  std::string why;  // why it is not
  std::vector<DiskResult> disks;
  std::vector<DocumentResult> documents;
  // SHA-256 of what is beside the disks, by name; empty: it was captured before there were any.
  std::map<std::string, std::string> files{};

  std::uint64_t bytes() const;  // of all disk files
  bool says_sizes() const;      // of each of them
  bool all_whole() const;       // an increment that holds everything
  bool lacks_domain() const;    // there was none when the disks were taken; as far as is known
  // Is it as the guest saw it, and not as it lay in its place?  If it was encrypted there, it is
  // not any more.
  bool is_as_seen(const DiskResult& disk) const;
  const DocumentResult* document(std::string_view what) const;  // nullptr: it does not say
  // False: it is another than the file of that name was, as far as is known.
  bool is_as_captured(const std::string& file, std::string_view text) const;
};

// BadRequest for what is no such document.
CaptureResult parse_result(std::string_view json);
