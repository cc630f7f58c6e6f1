// Event indices and batches as bytes, for their way between ranks.
#pragma once

#include "kilobragg/io/event_index.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace kilobragg::programs {

/// Sources, events and failures; runs of consecutive frames are stored as one entry.
std::string pack_index(const io::EventIndex& index);
io::EventIndex unpack_index(const std::string& bytes);

std::string pack_batch(std::pair<std::int64_t, std::int64_t> batch);
std::pair<std::int64_t, std::int64_t> unpack_batch(const std::string& bytes);

} // namespace kilobragg::programs
