// Packs an event index as JSON with runs of frames.
#include "index_packing.hpp"

#include "kilobragg/core/error.hpp"

#include <nlohmann/json.hpp>

#include <cstring>

namespace kilobragg::programs {

std::string pack_index(const io::EventIndex& index) {
  nlohmann::json sources = nlohmann::json::array(), runs = nlohmann::json::array();
  for (const auto& s : index.sources) sources.push_back({s.path, s.dataset, s.frames, s.expt});
  for (std::size_t i = 0; i < index.events.size();) {
    const io::Event& first = index.events[i];
    std::size_t n = 1;
    while (i + n < index.events.size() && index.events[i + n].source == first.source &&
           index.events[i + n].frame == first.frame + static_cast<std::int64_t>(n))
      ++n;
    runs.push_back({first.source, first.frame, n});
    i += n;
  }
  const nlohmann::json all = {{"sources", sources}, {"runs", runs}, {"failed", index.failed}};
  return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

io::EventIndex unpack_index(const std::string& bytes) {
  const auto all = nlohmann::json::parse(bytes);
  io::EventIndex index;
  for (const auto& s : all.at("sources"))
    index.sources.push_back({s.at(0), s.at(1), s.at(2), s.at(3)});
  for (const auto& failure : all.at("failed"))
    index.failed.emplace_back(failure.at(0), failure.at(1));
  for (const auto& run : all.at("runs")) {
    const auto source = run.at(0).get<std::uint32_t>();
    const auto first = run.at(1).get<std::int64_t>(), n = run.at(2).get<std::int64_t>();
    for (std::int64_t i = 0; i < n; ++i) index.events.push_back({source, first + i});
  }
  return index;
}

std::string pack_batch(std::pair<std::int64_t, std::int64_t> batch) {
  std::string bytes(2 * sizeof(std::int64_t), '\0');
  std::memcpy(bytes.data(), &batch.first, sizeof batch.first);
  std::memcpy(bytes.data() + sizeof batch.first, &batch.second, sizeof batch.second);
  return bytes;
}

std::pair<std::int64_t, std::int64_t> unpack_batch(const std::string& bytes) {
  std::pair<std::int64_t, std::int64_t> batch;
  core::require(bytes.size() == 2 * sizeof(std::int64_t), "a batch of {} bytes is none",
                bytes.size());
  std::memcpy(&batch.first, bytes.data(), sizeof batch.first);
  std::memcpy(&batch.second, bytes.data() + sizeof batch.first, sizeof batch.second);
  return batch;
}

} // namespace kilobragg::programs
