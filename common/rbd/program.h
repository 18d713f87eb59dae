// SPDX-License-Identifier: Apache-2.0
// Calls of the program rbd: private to common/rbd.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "common/command.h"
#include "common/error.h"
#include "common/rbd/image.h"

namespace rbd {

// As the caller's environment must not name another cluster, only what the image says is said.
// Ends soon after the deadline of `access`, also if the cluster does not answer.
Command program(const Image& image, std::initializer_list<std::string_view> verb,
                const Access& access);
// The same without --pool, --image and --namespace, for what names images in arguments.
Command program_for_cluster(const Image& image, std::initializer_list<std::string_view> verb,
                            const Access& access);
// The program rados, in the pool and name space of the image.
Command rados(const Image& image, std::initializer_list<std::string_view> verb,
              const Access& access);

Error failure(const std::string& doing, const Finished& finished);
// Its end, whatever its status; an Error "cannot `doing`: ..." if there is none in time.
Finished finish(const Command& command, const std::string& doing);
// Its stdout; an Error "cannot `doing`: ..." in rbd's words.
std::string insist(const Command& command, const std::string& doing);
std::string of(const Image& image);  // " of the Ceph image pool/name"

}  // namespace rbd
