// SPDX-License-Identifier: Apache-2.0
#include "common/one/config.h"

#include <cstdlib>

#include "common/file.h"
#include "common/one/location.h"

namespace fs = std::filesystem;

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool is_name(std::string_view text) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !text.empty() && text.find_first_not_of(letters) == text.npos &&
         (text.front() < '0' || text.front() > '9');
}

// The first word, as bash would read it, but with nothing expanded.
std::string word(std::string_view text) {
  std::string out;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool escapes = quote == 0 || (quote == '"' && i + 1 < text.size() &&
                                        std::string_view{"\"\\$`"}.find(text[i + 1]) != text.npos);
    if (c == '\\' && escapes && i + 1 < text.size())
      out += text[++i];
    else if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (quote != 0 && c == quote)
      quote = 0;
    else if (quote == 0 && (c == ' ' || c == '\t' || c == ';'))
      break;
    else
      out += c;
  }
  return out;
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = getenv(name.c_str());
  return value && *value ? std::optional<std::string>{value} : std::nullopt;
}

std::optional<std::string> find(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() || found->second.empty() ? std::nullopt
                                                          : std::optional{found->second};
}

fs::path etc() { return remotes_root() / "etc"; }

}  // namespace

Settings parse_settings(std::string_view text) {
  Settings settings;
  while (!text.empty()) {
    auto line = trimmed(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), text.find('\n')));
    if (!text.empty()) text.remove_prefix(1);
    if (line.starts_with("export ") || line.starts_with("export\t")) line = trimmed(line.substr(7));
    const auto equals = line.find('=');
    if (equals == line.npos || !is_name(line.substr(0, equals))) continue;
    settings[std::string{line.substr(0, equals)}] = word(line.substr(equals + 1));
  }
  return settings;
}

Settings read_settings(const fs::path& path) {
  return parse_settings(read_file_if_any(path).value_or(""));
}

std::optional<std::string> setting(const std::string& name) {
  if (auto value = environment("VMVAULT_" + name)) return value;
  return find(read_settings(etc() / "vmvault.conf"), name);
}

fs::path backup_dir(const fs::path& vm_dir, int vm_id) {
  const auto base = find(read_settings(etc() / "datastore/datastore.conf"), "BACKUP_BASE_PATH");
  return base ? normal_path(*base) / std::to_string(vm_id) / "backup" : vm_dir / "backup";
}

std::string libvirt_uri() {
  for (const auto* name : {"LIBVIRT_URI", "LIBVIRT_DEFAULT_URI"})
    if (auto uri = environment(name)) return *std::move(uri);
  return find(read_settings(etc() / "vmm/kvm/kvmrc"), "LIBVIRT_URI").value_or("qemu:///system");
}
