// One image of a CrystFEL stream: its peaks, crystals and reflections as text.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <cstdint>
#include <string>

namespace kilobragg::io {

/// Appends the chunk of an image, which must have a detector. `serial` counts images from 1. Positions
/// are pixels of the frame, with the panel's offset in it, as recorded: parallax and all.
void append_chunk(std::string& text, const models::StillResult& image, std::int64_t serial);

} // namespace kilobragg::io
