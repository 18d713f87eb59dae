// SPDX-License-Identifier: Apache-2.0
// Images as JSON documents and in words, shared by list and show.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "drivers/cli/lib/app.h"
#include "drivers/lib/result.h"

namespace cli {

using Json = nlohmann::ordered_json;

std::uint64_t bytes(const state::ImageRecord& image);
// "ready", "ready, active" (the next increment goes here), "deleting".
std::string state_text(const App& app, const state::ImageRecord& image);
// What the last check found wrong with its first damaged increment; empty: nothing.
std::string damage_of(const state::ImageRecord& image);
// When it was last proven, or "CORRUPT", or "-".
std::string proof_text(const state::BackupRecord& backup);
Json summary(const App& app, const state::ImageRecord& image);
// What the capture said; nothing where that is lost.
std::optional<state::CaptureResult> result_of(const state::BackupRecord& backup);

void print(const Json& document);  // and a newline; what is no UTF-8 is replaced

}  // namespace cli
