// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_server.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <span>
#include <string_view>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/sha256.h"
#include "common/sums.h"
#include "datastore/rsync/lib/protocol.h"

namespace rsync {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes enough{5};

// They say what they found as the last line of their output: a forced command says something else.
constexpr std::string_view is_there = "vmvault: there", is_missing = "vmvault: missing",
                           is_unfit = "vmvault: unfit";

constexpr std::string_view start = R"([ -O "$0" ] && [ -x "$0" ] || exit 127
exec "$0")";

constexpr std::string_view look = R"(if [ -O "$0" ] && [ -x "$0" ]; then echo 'vmvault: there'
else echo 'vmvault: missing'; fi)";

// $0 the path, $1 the digest, $2 a request that costs nothing.
constexpr std::string_view push = R"(umask 022
dir=${0%/*} new=$0.$$
unfit() { echo "$1" >&2; echo 'vmvault: unfit'; exit 0; }
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p -- "$dir" || unfit "cannot make the directory '$dir'"
[ -O "$dir" ] || unfit "'$dir' belongs to somebody else"
cat >"$new" || exit 1
set -- $(sha256sum <"$new") "$@"
[ "$1" = "$3" ] || { echo "'$new' is not what was sent" >&2; exit 1; }
chmod 755 "$new"
said=$(printf %s "$4" | "$new" 2>&1 >/dev/null) || unfit "'$new' cannot be run: $said"
mv -f -- "$new" "$0" || exit 1
find "$dir" -maxdepth 1 -name 'server.*' -mtime +30 ! -path "$0" -exec rm -f -- {} +
echo 'vmvault: there')";

fs::path own_executable() { return remotes_root() / "datastore" / "rsync" / "server"; }

std::string digest_of(std::string_view bytes) {
  sums::Hash hash;
  hash.add(std::as_bytes(std::span{bytes}));
  return hex(hash.finish());
}

fs::path path_for(const std::string& digest) {
  return remote_root() / "datastore" / "rsync" / ("server." + digest.substr(0, 16));
}

Finished shell(const Target& target, std::string_view script, std::vector<std::string> words,
               std::string input) {
  std::vector<std::string> argv{"sh", "-c", std::string{script}};
  std::move(words.begin(), words.end(), std::back_inserter(argv));
  auto finished = target.command(argv).input(std::move(input)).deadline(enough).run();
  if (finished.status == ssh_failed)
    throw Error{"cannot reach " + target.name() + ": " + one_line(last_line(finished.err)) +
                ssh_remedy(finished.err)};
  return finished;
}

std::string words_of(const Finished& finished) {
  const auto said = one_line(last_line(finished.err));
  return said.empty() ? one_line(last_line(finished.out)) : said;
}

}  // namespace

std::string server_path(const Target& target) {
  if (target.here()) return own_executable().string();
  return path_for(digest_of(read_file(own_executable()))).string();
}

std::vector<std::string> server_argv(const Target& target, const std::string& path) {
  if (target.here()) return {path};
  return {"sh", "-c", std::string{start}, path};
}

Ensured ensure_server(const Target& target) {
  if (target.here()) return {own_executable().string()};
  const auto executable = read_file(own_executable());
  const auto digest = digest_of(executable);
  const auto path = path_for(digest).string();

  const auto found = shell(target, look, {path}, "");
  if (last_line(found.out) == is_there) return {path};
  if (last_line(found.out) != is_missing) return {{}, words_of(found)};

  log(Level::info, "the server executable goes to " + target.name());
  const auto pushed =
      shell(target, push, {path, digest, encode(Request{.doing = "about"})}, executable);
  if (last_line(pushed.out) == is_there) return {path};
  if (last_line(pushed.out) == is_unfit) return {{}, words_of(pushed)};
  throw Error{"cannot push '" + path + "' to " + target.name() + ": " + words_of(pushed)};
}

}  // namespace rsync
