// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad.h"

#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <sstream>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/number.h"

namespace mad {
namespace {

// Of an error text: the core keeps it with the object.
constexpr std::size_t most_said = std::size_t{1} << 20;

std::optional<int> number(const Options& options, char letter) {
  const auto found = options.values.find(letter);
  if (found == options.values.end()) return std::nullopt;
  if (const auto value = parse_int(found->second, 0)) return value;
  throw BadRequest{std::string{"the value of -"} + letter + " is not a number"};
}

// The severities that a failed executable may give to a line of the object's own log.
std::pair<char, std::string_view> severity(std::string_view line) {
  using namespace std::string_view_literals;
  for (const auto prefix : {"ERROR:"sv, "DEBUG:"sv, "INFO:"sv})
    if (line.starts_with(prefix)) return {prefix.front(), line.substr(prefix.size())};
  return {'I', line};
}

// False at the end of the stream.
bool receive(LineReader& lines) {
  char buffer[65536];
  const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
  if (n == -1 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n <= 0) return false;
  lines.add({buffer, static_cast<std::size_t>(n)});
  return true;
}

}  // namespace

void say(std::string_view line) { write_all(STDOUT_FILENO, line, "answer the core"); }

void Report::take(std::string_view line) {
  if (all_.size() < most_said) all_.append(line).append("\n");
  const Said said = parse_said(line);
  if (said.severity)
    say_(log_line(*said.severity, said.id, said.text));
  else if (plain_.size() < most_said)
    plain_ += said.text;
}

void Report::log_failure(const Outcome& outcome) const {
  say_(log_line(
      'I', id_,
      "Command execution failed (exit code: " + std::to_string(outcome.status) + "): " + display_));
  std::istringstream lines{all_};
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const auto [letter, text] = severity(line);
    say_(log_line(letter, id_, text));
  }
}

std::string Report::info(const Outcome& outcome) const {
  if (outcome.status == 0 && !outcome.late) return outcome.out;
  log_failure(outcome);
  return outcome.late ? "Timeout executing " + display_ : plain_;
}

Pool make_pool(const Options& options) {
  const int threads = number(options, 't').value_or(0);
  const int limit = number(options, 'w').value_or(0);
  return Pool{static_cast<std::size_t>(threads > 0 ? threads : 15),
              limit > 0 ? std::optional{std::chrono::seconds{limit}} : std::nullopt};
}

void serve(Pool& pool, const std::function<void(const Message&)>& handle) {
  LineReader lines;
  bool final = false;
  const auto take = [&](const Message& message) {
    if (message.verb == "INIT") return say("INIT SUCCESS - -\n");
    if (message.verb == "FINALIZE") {
      final = true;
    } else if (message.verb == "DRIVER_CANCEL" && message.id) {
      pool.cancel(*message.id);
      const std::string id = std::to_string(*message.id);
      say(log_line('I', *message.id, "Driver command for " + id + " cancelled"));
    } else if (!final && message.id && !message.payload.empty()) {
      handle(message);
    }
  };
  do {
    while (const auto line = lines.next())
      if (const auto message = parse_message(*line)) take(*message);
    pool.advance();
    if (final && pool.idle()) break;
    std::vector<pollfd> fds{{STDIN_FILENO, POLLIN, 0}, {cancel::fd(), POLLIN, 0}};
    pool.watch(fds);
    if (poll(fds.data(), fds.size(), pool.timeout()) == -1) continue;
    if (fds[0].revents != 0 && !receive(lines)) break;
  } while (!cancel::requested());
  pool.let_go();
}

}  // namespace mad
