// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/disk_header.h"

#include <endian.h>

#include <array>
#include <cstring>

#include "common/qcow2/plan.h"

namespace qcow2 {
namespace {

constexpr std::size_t longest = 112;
constexpr std::size_t length_of_2 = 72, length_of_3 = 104;
constexpr unsigned least_bits = 9, most_bits = 21;
constexpr std::uint64_t most_l1_bytes = std::uint64_t{32} << 20;  // qemu's own limit

enum Incompatible : std::uint64_t {
  dirty = 1,  // of refcounts, which are not read
  corrupt = 2,
  data_file = 4,
  compression = 8,
  subclusters = 16,
};

class Fields {
 public:
  Fields(const ReadAt& read, std::string name) : name_{std::move(name)} { got_ = read(0, bytes_); }

  std::uint32_t at32(std::size_t at) const {
    std::uint32_t value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return be32toh(value);
  }
  std::uint64_t at64(std::size_t at) const {
    std::uint64_t value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return be64toh(value);
  }
  void insist(bool good, const char* why) const {
    if (!good) throw Error{"'" + name_ + "' cannot be read as qcow2: " + why};
  }
  void insist_on(std::size_t length) const { insist(got_ >= length, "it is cut short"); }

 private:
  std::string name_;
  std::array<std::byte, longest> bytes_{};
  std::size_t got_ = 0;
};

void check_features(const Fields& fields) {
  const auto features = fields.at64(72);
  fields.insist((features & data_file) == 0, "its data are in another file");
  fields.insist((features & corrupt) == 0, "it is marked as corrupt");
  fields.insist((features & subclusters) == 0, "it has subclusters");
  const bool other_compression = (features & compression) != 0 && fields.at32(100) > length_of_3 &&
                                 fields.at32(104) >> 24 != 0;
  fields.insist(!other_compression, "it is compressed by something else than zlib");
  constexpr std::uint64_t known = dirty | corrupt | data_file | compression | subclusters;
  fields.insist((features & ~known) == 0, "it has features that are not known");
}

}  // namespace

DiskHeader read_header(const ReadAt& read, std::uint64_t file_size, const std::string& name,
                       Behind behind) {
  const Fields fields{read, name};
  fields.insist_on(length_of_2);
  fields.insist(fields.at32(0) == 0x514649fb, "no qcow2 magic");
  DiskHeader header;
  header.version = fields.at32(4);
  fields.insist(header.version == 2 || header.version == 3, "it is of an unknown version");
  if (header.version == 3) {
    fields.insist_on(length_of_3);
    check_features(fields);
  }
  fields.insist(behind == Behind::anything || fields.at64(8) == 0,
                "there is another file behind it");
  header.bits = fields.at32(20);
  fields.insist(header.bits >= least_bits && header.bits <= most_bits, "the size of its clusters");
  header.virtual_size = fields.at64(24);
  fields.insist(header.virtual_size <= max_virtual_size, "its disk is too large");
  fields.insist(header.virtual_size % 512 == 0, "its disk is not of whole sectors");
  fields.insist(fields.at32(32) == 0, "it is encrypted");
  const auto per_table = header.cluster() * header.l2_entries();
  header.l1_entries = (header.virtual_size + per_table - 1) / per_table;
  header.l1_offset = fields.at64(40);
  const bool good_l1 = header.l1_entries <= fields.at32(36) &&
                       header.l1_entries * 8 <= most_l1_bytes &&
                       header.l1_offset % header.cluster() == 0 && header.l1_offset <= file_size &&
                       header.l1_entries * 8 <= file_size - header.l1_offset;
  fields.insist(good_l1, "its L1 table");
  return header;
}

}  // namespace qcow2
