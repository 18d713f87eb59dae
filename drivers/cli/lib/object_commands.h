// SPDX-License-Identifier: Apache-2.0
// Commands about objects, with the verbs and options of OpenNebula's tools.
#pragma once

#include <string>
#include <vector>

#include "drivers/cli/lib/kinds.h"
#include "drivers/cli/lib/tree.h"

namespace cli {

// `vmvault image`, and its verbs list and show.
CLI::App* add_object(Tree& tree, Kind kind, const char* about);
// Its verb chown: whose it is from now on.
void add_chown(Tree& tree, CLI::App* command, Kind kind);
// A verb that changes its attributes, as a FILE says: all of them, or those named (--append).
void add_update(Tree& tree, CLI::App* command, Kind kind, const char* about,
                const char* word = "update");
// Its verb rename.
void add_rename(Tree& tree, CLI::App* command, Kind kind, const char* about);
// An argument: a number or a name.
CLI::Option* add_id(CLI::App* verb, Kind kind, std::string& word);
CLI::Option* add_ids(CLI::App* verb, Kind kind, std::vector<std::string>& words);  // one or more
// An argument: what template_text() reads.
void add_template_file(CLI::App* verb, std::string& file);
// --wait
void add_wait(CLI::App* verb, bool& wait);
void add_force(CLI::App* verb, bool& force);
// The options of a list, as OpenNebula's tools have them.
void add_list_options(CLI::App* verb, ListOptions& options);

// A document as the options want it: XML, JSON, CSV, or a table of the elements below its root.
void print_list(const std::string& document, const std::vector<Column>& columns,
                const ListOptions& options);

void add_vm_commands(Tree& tree);
void add_image_commands(Tree& tree);
void add_place_commands(Tree& tree);  // datastore, host, queue
void add_job_commands(Tree& tree);
void add_user_commands(Tree& tree);

}  // namespace cli
