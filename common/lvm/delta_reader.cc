// SPDX-License-Identifier: Apache-2.0
#include <libxml/parser.h>

#include <cstring>
#include <optional>

#include "common/error.h"
#include "common/lvm/changes.h"
#include "common/number.h"

namespace lvm {
namespace {

constexpr std::uint64_t sector = 512;
// The device mapper's own limits of a block.
constexpr std::uint64_t least_sectors = 128, most_sectors = 2097152;

std::string_view text_of(const xmlChar* text) { return reinterpret_cast<const char*>(text); }

struct ContextFree {
  void operator()(xmlParserCtxt* context) const {
    xmlFreeDoc(context->myDoc);
    xmlFreeParserCtxt(context);
  }
};

}  // namespace

class DeltaReader::State {
 public:
  explicit State(const MetadataSnapshot::Sides& sides) : sides_{sides} {
    std::memset(&handler_, 0, sizeof handler_);
    handler_.initialized = XML_SAX2_MAGIC;
    handler_.startElementNs = [](void* self, const xmlChar* name, const xmlChar*, const xmlChar*,
                                 int, const xmlChar**, int count, int, const xmlChar** values) {
      static_cast<State*>(self)->start(text_of(name), count, values);
    };
    handler_.endElementNs = [](void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
      --static_cast<State*>(self)->depth_;
    };
    // No document type, so no entities.
    handler_.internalSubset = [](void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
      static_cast<State*>(self)->refuse("it has a document type");
    };
    handler_.serror = [](void*, xmlError*) {};
    context_.reset(xmlCreatePushParserCtxt(&handler_, this, nullptr, 0, nullptr));
    if (!context_) throw std::bad_alloc{};
    xmlCtxtUseOptions(context_.get(), XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  }

  void add(std::string_view text, bool last) {
    const int error =
        xmlParseChunk(context_.get(), text.data(), static_cast<int>(text.size()), last ? 1 : 0);
    if (!why_.empty()) throw Error{"what thin_delta says is not understood: " + why_};
    if (error != XML_ERR_OK) throw Error{"what thin_delta says is not whole, or no XML"};
  }

  qcow2::Extents finish() {
    add("", true);
    if (!diff_seen_) throw Error{"what thin_delta says has no differences"};
    return std::move(extents_);
  }

 private:
  void refuse(const std::string& why) {
    if (why_.empty()) why_ = why;
    xmlStopParser(context_.get());
  }

  // Of an element: name, prefix, URI, begin and end of the value, one after the other.
  static std::optional<std::uint64_t> number(const xmlChar** values, int count,
                                             std::string_view wanted) {
    for (int i = 0; i < count; ++i, values += 5) {
      if (text_of(values[0]) != wanted) continue;
      const auto length = static_cast<std::size_t>(values[4] - values[3]);
      const auto value = parse_number({reinterpret_cast<const char*>(values[3]), length});
      if (value && *value >= 0) return static_cast<std::uint64_t>(*value);
      return std::nullopt;
    }
    return std::nullopt;
  }

  // Called by C: nothing may be thrown.
  void start(std::string_view name, int count, const xmlChar** values) noexcept try {
    const int depth = depth_++;
    if (depth == 0 && name == "superblock") return begin(number(values, count, "data_block_size"));
    if (depth == 1 && name == "diff") {
      const bool same_sides = number(values, count, "left") == sides_.before &&
                              number(values, count, "right") == sides_.now;
      if (diff_seen_ || !same_sides) return refuse("it compares other volumes");
      diff_seen_ = true;
      return;
    }
    if (depth == 2 && diff_seen_)
      return range(name, number(values, count, "begin"), number(values, count, "length"));
    refuse("the element " + one_line(name));
  } catch (...) {
    refuse("no memory for it");
  }

  void begin(std::optional<std::uint64_t> sectors) {
    if (!sectors || *sectors < least_sectors || *sectors > most_sectors)
      return refuse("it has no size of a block that can be");
    block_ = *sectors * sector;
  }

  void range(std::string_view name, std::optional<std::uint64_t> first,
             std::optional<std::uint64_t> length) {
    constexpr std::uint64_t most = std::uint64_t{1} << 44;  // blocks
    if (!first || !length || *first < next_ || *first > most || *length > most || *length == 0)
      return refuse("its ranges do not follow one another");
    next_ = *first + *length;
    const std::uint64_t from = *first * block_, to = next_ * block_;
    if (name == "different" || name == "right_only")
      add_extent(from, to, qcow2::Content::data);
    else if (name == "left_only")
      add_extent(from, to, sides_.external_origin ? qcow2::Content::data : qcow2::Content::zero);
    else if (name == "same")
      // A disk that was smaller showed nothing of what it has there.
      add_extent(sides_.before == sides_.now ? from : std::max(from, sides_.size_before), to,
                 qcow2::Content::data);
    else
      refuse("the element " + one_line(name));
  }

  void add_extent(std::uint64_t from, std::uint64_t to, qcow2::Content content) {
    to = std::min(to, sides_.size_now);
    if (from < to) append(extents_, {from, to - from, content});
  }

  const MetadataSnapshot::Sides sides_;
  xmlSAXHandler handler_{};
  std::unique_ptr<xmlParserCtxt, ContextFree> context_;
  std::string why_;
  int depth_ = 0;
  bool diff_seen_ = false;
  std::uint64_t block_ = 0, next_ = 0;
  qcow2::Extents extents_;
};

DeltaReader::DeltaReader(const MetadataSnapshot::Sides& sides)
    : state_{std::make_unique<State>(sides)} {}
DeltaReader::~DeltaReader() = default;
void DeltaReader::add(std::string_view text) { state_->add(text, false); }
qcow2::Extents DeltaReader::finish() { return state_->finish(); }

}  // namespace lvm
