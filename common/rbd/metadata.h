// SPDX-License-Identifier: Apache-2.0
// What is noted of an image in Ceph, in the image itself: keys and values.  It goes where the image
// goes, also to its copies and clones.
#pragma once

#include <map>
#include <string>

#include "common/rbd/image.h"

namespace rbd {

// All of these throw Error in rbd's words, and Cancelled.
std::map<std::string, std::string> metadata(const Image& image, const Access& access);
void set_metadata(const Image& image, const std::string& key, const std::string& value,
                  const Access& access);
// Nothing if there is none, or no such image.
void remove_metadata(const Image& image, const std::string& key, const Access& access);

}  // namespace rbd
