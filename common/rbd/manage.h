// SPDX-License-Identifier: Apache-2.0
// Images in Ceph as a whole: made, renamed, removed.  All of these throw Error in rbd's words, and
// Cancelled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/rbd/image.h"

namespace rbd {

struct Info {
  std::string id;  // Ceph's own, which a rename does not change; empty: of an ancient image
  std::uint64_t size = 0;
  std::uint64_t object_size = 0;
  std::string data_pool;              // empty: that of the image
  std::vector<std::string> features;  // those that can be asked for when an image is made
};
std::optional<Info> info(const Image& image, const Access& access);  // nullopt: there is none

// How many clients have it, or a snapshot of it, open, or were killed half a minute ago at most.  A
// VM that runs is one of them.  0 if there is no such image.
std::size_t watchers(const Image& image, const Access& access);

// Made like another one, if there is one to resemble.
void create(const Image& image, std::uint64_t size, const std::optional<Info>& like,
            const Access& access);
// Of the same pool and name space.  One that is cut off may leave an image with both names.
void rename(const Image& from, const Image& to, const Access& access);
// Takes one of them away if these two are one image: that which Ceph's own list has not.
void insist_on_one_name(const Image& one, const Image& other, const Access& access);

enum class Removal { removed, has_clones };
// With its snapshots.  Nothing if there is none.  One with clones that are not flattened stays as
// it is.
Removal remove(const Image& image, const Access& access);

// rbd's own streams of what an image holds ("rbd diff v1"), from and to descriptors; they take as
// long as they take, as long as the cluster answers.
void import_diff(const Image& image, int fd, const Access& access);
void export_diff(const Image& image, int fd, const Access& access);

}  // namespace rbd
