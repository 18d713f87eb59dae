// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/completion.h"

#include <vector>

namespace cli {
namespace {

// The part that is no table.  A path is the commands so far: " image restore".
constexpr const char* logic = R"bash(
_vmvault_objects() { vmvault "$@" --csv --no-header 2>/dev/null; }

# _vmvault_offer KIND WORD: what such a value can be
_vmvault_offer() {
    local choice choices=''
    case $1 in
        DIR) mapfile -t COMPREPLY < <(compgen -d -- "$2"); return ;;
        FILE) mapfile -t COMPREPLY < <(compgen -f -- "$2"); return ;;
        DOMAIN) choices=$(virsh -q list --all --name 2>/dev/null) ;;
        IMAGE) choices=$(_vmvault_objects image list -l ID) ;;
        DATASTORE) choices=$(_vmvault_objects datastore list -l ID) ;;
        VM | HOST | USER) choices=$(_vmvault_objects "${1,,}" list -l NAME) ;;
        BACKUPJOB) choices=$(_vmvault_objects job list -l NAME) ;;
        *,*) choices=${1//,/$'\n'} ;;
    esac
    # Others have chosen these names: compgen -W would run a $(...) in them.
    while IFS= read -r choice; do
        [[ -z $choice || $choice != "$2"* ]] || COMPREPLY+=("$(printf %q "$choice")")
    done <<<"$choices"
}

_vmvault() {
    local word=${COMP_WORDS[COMP_CWORD]} path='' place=0 at commands kind arguments
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        commands=$(_vmvault_commands "$path")
        if [[ ${COMP_WORDS[at]} == -* ]]; then
            [[ -z $(_vmvault_value "$path" "${COMP_WORDS[at]}") ]] || ((++at))
        elif [[ -n $commands && " $commands " == *" ${COMP_WORDS[at]} "* ]]; then
            path+=" ${COMP_WORDS[at]}"
        else
            ((++place))
        fi
    done
    kind=$(_vmvault_value "$path" "${COMP_WORDS[COMP_CWORD - 1]}")
    if [[ -n $kind ]]; then
        _vmvault_offer "$kind" "$word"
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_vmvault_options "$path")" -- "$word")
    elif commands=$(_vmvault_commands "$path") && [[ -n $commands ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    else
        read -ra arguments <<<"$(_vmvault_arguments "$path")"
        [[ -z ${arguments[place]-} ]] || _vmvault_offer "${arguments[place]}" "$word"
    fi
}

complete -F _vmvault vmvault
)bash";

// What a value can be: "IMAGE", "agent,suspend,none"; "-" for anything.
std::string kind_of(const CLI::Option& option) {
  const auto text = option.get_type_name();
  const auto open = text.find('{'), close = text.find('}');
  if (open != text.npos && close != text.npos && open < close)
    return text.substr(open + 1, close - open - 1) + (text.find(',') == text.npos ? "," : "");
  auto kind = text.substr(0, text.find(':'));
  return kind.empty() ? "-" : kind;
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const auto& one : option.get_lnames()) names.push_back("--" + one);
  for (const auto& one : option.get_snames()) names.push_back("-" + one);
  return names;
}

struct Tables {
  std::string commands, options, values, arguments;

  void add(const CLI::App& command, const std::string& path) {
    std::string below, words, kinds;
    for (const auto* option : command.get_options()) {
      if (!option->nonpositional()) {
        kinds += kind_of(*option) + " ";
        continue;
      }
      for (const auto& name : names_of(*option)) {
        words += name + " ";
        if (option->get_items_expected_max() > 0)
          values += row(path + " " + name, kind_of(*option));
      }
    }
    for (const auto* one : command.get_subcommands([](const CLI::App*) { return true; })) {
      below += one->get_name() + " ";
      add(*one, path + " " + one->get_name());
    }
    commands += row(path, below);
    options += row(path, words);
    arguments += row(path, kinds);
  }

 private:
  static std::string row(const std::string& key, std::string value) {
    while (value.ends_with(' ')) value.pop_back();
    return value.empty() ? "" : "        '" + key + "') echo '" + value + "' ;;\n";
  }
};

std::string function(const std::string& name, const std::string& key, const std::string& rows) {
  return name + "() {\n    case " + key + " in\n" + rows + "    esac\n}\n";
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  Tables tables;
  tables.add(root, "");
  return "# SPDX-License-Identifier: Apache-2.0\n# shellcheck shell=bash\n"
         "# Completion of vmvault for bash, written by 'vmvault completion bash'.\n\n" +
         function("_vmvault_commands", "$1", tables.commands) +
         function("_vmvault_options", "$1", tables.options) +
         function("_vmvault_value", "\"$1 $2\"", tables.values) +
         function("_vmvault_arguments", "$1", tables.arguments) + logic;
}

}  // namespace cli
