// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

inline constexpr const char* result_document = "vmvault.json";

// What a capture has said of its increment (the document above), for the merged one that takes its
// place: its disks hold everything, and have these sizes by their ids (bytes; 0: nobody knows).  As
// it is if it is not such a document.
std::string flat_result(std::string_view document, const std::map<int, std::uint64_t>& sizes);
