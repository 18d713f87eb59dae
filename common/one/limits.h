// SPDX-License-Identifier: Apache-2.0
// What a backup may cost the machine that makes it, as a datastore says it (contract 3.1).
#pragma once

#include <string>

#include "common/confine.h"
#include "common/one/config.h"
#include "common/one/datastore.h"

// From <prefix>_NICE and so on; -1 or nothing: no limit.  BadRequest, naming the attribute, for
// what is no number, or none that it can be.
confine::Limits limits_of(const Datastore& datastore, const std::string& prefix);

// The prefix of a datastore's attributes: its DS_MAD in upper case.
std::string attribute_prefix(const Datastore& datastore);

// By the names of confine::fields, and back.  BadRequest for a value that cannot be; -1 is no
// limit, here too, but for a priority that can have that value.
Settings to_settings(const confine::Limits& limits);
confine::Limits limits_from(const Settings& settings);

// The group of all backups into a datastore; those of none (-1) have one, too.
std::string group_of(int datastore_id);
