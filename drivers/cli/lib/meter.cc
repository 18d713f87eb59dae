// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/meter.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/cancel.h"
#include "drivers/cli/lib/display.h"

namespace cli {
namespace {

using namespace std::chrono_literals;

constexpr auto window = 10s;
constexpr std::size_t bar_width = 20;

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double fraction(const ProgressReport& report) {
  if (report.total == 0) return 0;
  return std::min(1.0, static_cast<double>(report.done) / static_cast<double>(report.total));
}

}  // namespace

void Meter::take(const ProgressReport& report, Time now) {
  if (report.step != step_ || (!samples_.empty() && report.done < samples_.back().done)) {
    step_ = report.step;
    samples_.clear();
    printed_.reset();
    complete_ = false;
  }
  samples_.push_back({now, report.done});
  while (samples_.size() > 2 && now - samples_[1].time >= window) samples_.pop_front();
}

std::string Meter::words(const ProgressReport& report) const {
  std::string text = size_text(report.done);
  if (report.total != 0) text += " of " + size_text(report.total);
  const std::chrono::duration<double> span = samples_.back().time - samples_.front().time;
  const double bytes = static_cast<double>(samples_.back().done - samples_.front().done);
  if (span.count() <= 0 || bytes <= 0) return text;
  const double rate = bytes / span.count();
  text += "  " + size_text(static_cast<std::uint64_t>(rate)) + "/s";
  if (report.total > report.done)
    text +=
        "  " +
        duration_text(
            static_cast<std::int64_t>(static_cast<double>(report.total - report.done) / rate) + 1) +
        " left";
  return text;
}

std::string Meter::bar(const ProgressReport& report, Time now, std::size_t width) {
  take(report, now);
  std::string text = fmt::format("{:<8}", printable(report.step));
  if (report.total != 0) {
    const auto full = static_cast<std::size_t>(fraction(report) * bar_width);
    text += fmt::format(" [{}{}] {:3.0f} %", std::string(full, '#'),
                        std::string(bar_width - full, '-'), fraction(report) * 100);
  }
  text += "  " + words(report);
  // The last column stays free: some terminals wrap there.
  return text.substr(0, width > 1 ? width - 1 : 0);
}

std::optional<std::string> Meter::line(const ProgressReport& report, Time now) {
  take(report, now);
  const bool complete = report.total != 0 && report.done >= report.total;
  const bool due = !printed_ || now - *printed_ >= window || (complete && !complete_);
  if (!due) return std::nullopt;
  printed_ = now;
  complete_ = complete;
  std::string text = printable(report.step) + ": ";
  if (report.total != 0) text += fmt::format("{:.0f} %, ", fraction(report) * 100);
  return text + words(report);
}

ProgressDisplay::ProgressDisplay(std::filesystem::path file)
    : file_{std::move(file)},
      terminal_{isatty(STDERR_FILENO) == 1},
      thread_{[this](const std::stop_token& stop) { watch(stop); }} {}

ProgressDisplay::~ProgressDisplay() {
  thread_.request_stop();
  thread_.join();
  clear();
}

void ProgressDisplay::clear() {
  const std::lock_guard guard{mutex_};
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressDisplay::watch(const std::stop_token& stop) {
  std::unique_lock guard{mutex_};
  while (!stop.stop_requested()) {
    show();
    wake_.wait_for(guard, stop, 200ms, [] { return false; });
  }
}

void ProgressDisplay::show() {
  if (cancel::requested()) {
    if (terminal_) std::fputs("\rstopping\033[K", stderr);
    drawn_ = terminal_;
    return;
  }
  const auto report = read_progress(file_.string());
  if (!report) return;
  const auto now = std::chrono::steady_clock::now();
  if (terminal_) {
    const auto text = "\r" + meter_.bar(*report, now, terminal_width()) + "\033[K";
    std::fputs(text.c_str(), stderr);
    drawn_ = true;
  } else if (const auto text = meter_.line(*report, now)) {
    note(*text);
  }
}

}  // namespace cli
