// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "common/qcow2/input.h"
#include "common/qcow2/stream.h"

namespace qcow2 {

struct StreamReader::State {
  State(Source source, std::string name)
      : input{std::move(source), std::move(name)}, plan{read_plan(input)} {}

  Input input;
  Plan plan;
  std::size_t index = 0;          // of the extent that was read last
  std::uint64_t data_before = 0;  // clusters in the extents before it
};

StreamReader::StreamReader(Source source, std::string name)
    : state_{std::make_unique<State>(std::move(source), std::move(name))} {}

StreamReader::StreamReader(StreamReader&&) noexcept = default;
StreamReader::~StreamReader() = default;

const Plan& StreamReader::plan() const { return state_->plan; }

void StreamReader::read(std::uint64_t offset, std::span<std::byte> out) {
  if (out.empty()) return;
  auto& [input, plan, index, data_before] = *state_;
  const Extents& extents = plan.extents();
  for (; index < extents.size() && extents[index].end() <= offset; ++index)
    if (extents[index].content == Content::data)
      data_before += clusters(extents[index].length, plan.cluster());
  if (index == extents.size() || extents[index].content != Content::data ||
      offset < extents[index].offset || out.size() > extents[index].end() - offset)
    throw std::logic_error{"not in a data extent of a qcow2 stream, or not after the last read"};
  const std::uint64_t place =
      plan.metadata_size() + data_before * plan.cluster() + offset - extents[index].offset;
  if (place < input.position()) throw std::logic_error{"a qcow2 stream cannot be read backwards"};
  input.skip_to(place);
  input.read(out);
}

void StreamReader::finish() {
  state_->input.skip_to(state_->plan.file_size());
  if (!state_->input.at_end())
    throw state_->input.error("the stream goes on after the end of its qcow2 file");
}

}  // namespace qcow2
