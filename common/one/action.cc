// SPDX-License-Identifier: Apache-2.0
#include "common/one/action.h"

#include <errno.h>  // program_invocation_short_name
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/manual.h"

namespace {

constexpr std::size_t max_input = std::size_t{64 << 20} / 3 * 4 + 4096;  // 64 MiB in base64

// If we were started with one of them closed, the next file that we open must not take its
// place.  Neither reading nor writing then succeeds.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) == -1) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

// Stdin to its end; a cancellation ends the wait.
std::string read_input() {
  std::string text;
  char buffer[65536];
  for (;;) {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {cancel::fd(), POLLIN, 0}};
    if (poll(fds, std::size(fds), -1) == -1 && errno != EINTR)
      throw system_error("read the request", errno);
    cancel::check();
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n == -1 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n == -1) throw system_error("read the request", errno);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > max_input) throw BadRequest{"the request is larger than 64 MiB"};
  }
}

std::map<std::string, std::string> name_args(const Contract& contract,
                                             const std::vector<std::string>& words) {
  std::istringstream names{std::string{contract.args}};
  std::map<std::string, std::string> args;
  std::size_t next = 0;
  for (std::string name; names >> name; ++next) {
    const bool optional = name.starts_with('[');
    if (optional) name = name.substr(1, name.size() - 2);
    if (next < words.size())
      args[name] = words[next];
    else if (optional)
      args[name] = "";
    else
      throw BadRequest{"expected the arguments: " + std::string{contract.args}};
  }
  return args;
}

std::optional<Xml> parse_document(Input input, const std::string& text) {
  switch (input) {
    case Input::base64_xml:
      return Xml{base64_decode(text)};
    case Input::xml:
      return Xml{text};
    case Input::none:
      break;
  }
  return std::nullopt;
}

// What goes to stdout.
std::string run(const Contract& contract, const std::vector<std::string>& words,
                const Action& action) {
  if (words == std::vector<std::string>{"--pod"}) return manual(contract);
  if (words == std::vector<std::string>{"--help"}) return short_help(contract);
  auto args = name_args(contract, words);
  std::string input = contract.input == Input::none ? "" : read_input();
  auto document = parse_document(contract.input, input);
  return action(Request{std::move(args), words, std::move(document), std::move(input)});
}

// The core shows a plain line to the user, but takes lines with a severity for its log, and
// suppresses those that begin with '-' (contract 2.5).
std::string plain(const Contract& contract, std::string_view cause) {
  std::string line = one_line(cause);
  const auto begins = [&](std::string_view word) { return line.starts_with(word); };
  constexpr std::string_view special[] = {"-", "ERROR:", "INFO:", "WARN:", "DEBUG:"};
  if (line.empty() || std::any_of(std::begin(special), std::end(special), begins))
    line = std::string{contract.name} + " failed: " + line;
  return line;
}

Exit report(const Contract& contract, std::string_view cause, Exit status) {
  if (contract.failure == Failure::reported) {
    log(Level::error, cause);
    return Exit::ok;
  }
  const std::string line = plain(contract, cause) + "\n";
  // There is nobody left to tell if stderr is gone too.
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
  return status;
}

std::string_view name(Level level) {
  switch (level) {
    case Level::error:
      return "ERROR";
    case Level::warn:
      return "WARN";
    case Level::info:
      return "INFO";
    case Level::debug:
      break;
  }
  return "DEBUG";
}

}  // namespace

const std::string& Request::operator[](const std::string& name) const {
  const auto found = args_.find(name);
  if (found == args_.end()) throw std::logic_error{"the contract has no argument " + name};
  return found->second;
}

std::int64_t Request::number(const std::string& name) const {
  if (const auto number = parse_number((*this)[name])) return *number;
  throw BadRequest{"the argument " + name + " is not a number"};
}

const Xml& Request::xml() const {
  if (!document_) throw std::logic_error{"the contract has no document"};
  return *document_;
}

int run_action(const Contract& contract, int argc, char** argv, const Action& action) {
  auto status = Exit::ok;
  try {
    occupy_standard_descriptors();
    forbid_core_dumps();
    cancel::install();
    write_reply(run(contract, {argv + 1, argv + argc}, action));
  } catch (const Error& e) {
    status = report(contract, e.what(), e.exit());
  } catch (const std::filesystem::filesystem_error& e) {
    status = report(contract, to_error(e).what(), Exit::failed);
  } catch (const std::exception& e) {
    status = report(contract, std::string{"internal error: "} + e.what(), Exit::failed);
  }
  return static_cast<int>(status);
}

void write_reply(const std::string& reply) {
  const bool whole = reply.empty() || reply.ends_with('\n');
  write_all(STDOUT_FILENO, whole ? reply : reply + '\n', "write the reply");
}

void log(Level level, std::string_view text) {
  std::string line{name(level)};
  line.append(": ").append(program_invocation_short_name).append(": ");
  line.append(one_line(text)).append("\n");
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
}

int unsupported(int, char** argv) {
  // Whoever sends the request must not meet a closed pipe.
  char buffer[65536];
  ssize_t n = 0;
  for (std::size_t got = 0; got < max_input && (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;)
    got += static_cast<std::size_t>(n);
  const std::string line =
      std::filesystem::path{argv[0]}.filename().string() + ": Operation not supported\n";
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
  return static_cast<int>(Exit::failed);
}
