// SPDX-License-Identifier: Apache-2.0
#include "common/one/progress.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace {

constexpr std::chrono::milliseconds interval{250};

// By rename, so that nobody reads a part; but without the fsync of write_file(), which a figure
// that is old in a quarter of a second is not worth.
void replace(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  std::ofstream{beside, std::ios::trunc} << text << std::flush;
  std::error_code ignored;
  std::filesystem::rename(beside, path, ignored);
}

}  // namespace

Progress::Progress(std::string step, std::uint64_t total) : step_{std::move(step)}, total_{total} {}

void Progress::at(std::uint64_t done) noexcept try {
  const char* path = getenv("VMVAULT_PROGRESS");
  if (!path || !*path) return;
  const auto now = std::chrono::steady_clock::now();
  const bool last = total_ != 0 && done >= total_;
  if (!last && written_ && now - *written_ < interval) return;
  written_ = now;
  replace(path, "{\"step\":\"" + step_ + "\",\"done\":" + std::to_string(done) +
                    ",\"total\":" + std::to_string(total_) + "}\n");
} catch (const std::exception&) {
}

std::optional<ProgressReport> read_progress(const std::string& path) {
  std::ifstream file{path};
  std::string text;
  std::getline(file, text);  // throws nothing, whatever the disk says
  char step[32] = "";
  ProgressReport report;
  if (std::sscanf(text.c_str(),
                  "{\"step\":\"%31[a-z]\",\"done\":%" SCNu64 ",\"total\":%" SCNu64 "}", step,
                  &report.done, &report.total) != 3)
    return std::nullopt;
  report.step = step;
  return report;
}
