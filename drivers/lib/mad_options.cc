// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_options.h"

#include <sstream>

#include "common/error.h"

namespace mad {
namespace {

const Option& named(std::string_view name, const std::vector<Option>& known) {
  const Option* found = nullptr;
  for (const auto& option : known) {
    if (option.name == name) return option;
    if (!option.name.starts_with(name)) continue;
    if (found) throw BadRequest{"the option --" + std::string{name} + " is ambiguous"};
    found = &option;
  }
  if (name.empty() || !found) throw BadRequest{"unknown option --" + std::string{name}};
  return *found;
}

const Option& lettered(char letter, const std::vector<Option>& known) {
  for (const auto& option : known)
    if (option.letter == letter) return option;
  throw BadRequest{std::string{"unknown option -"} + letter};
}

}  // namespace

std::vector<std::string> split_arguments(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    std::istringstream stream{argv[i]};
    for (std::string word; stream >> word;) words.push_back(word);
  }
  return words;
}

Options parse_options(const std::vector<std::string>& words, const std::vector<Option>& known) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      options.words.insert(options.words.end(), words.begin() + static_cast<long>(i) + 1,
                           words.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      options.words.push_back(word);
      continue;
    }
    const auto value_of_next = [&] {
      return i + 1 < words.size() && !words[i + 1].starts_with('-') ? words[++i] : std::string{};
    };
    if (!word.starts_with("--")) {
      const auto& option = lettered(word[1], known);
      options.values[option.letter] = word.size() > 2    ? word.substr(2)
                                      : option.has_value ? value_of_next()
                                                         : "";
      continue;
    }
    const auto equals = word.find('=');
    const auto& option = named(word.substr(2, equals - 2), known);
    options.values[option.letter] = equals != word.npos ? word.substr(equals + 1)
                                    : option.has_value  ? value_of_next()
                                                        : "";
  }
  return options;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto part = text.substr(begin, end - begin);
    const auto first = part.find_first_not_of(" \t");
    if (first != part.npos)
      parts.emplace_back(part.substr(first, part.find_last_not_of(" \t") - first + 1));
    begin = end + 1;
  }
  return parts;
}

}  // namespace mad
