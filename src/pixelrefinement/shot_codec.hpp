// The first fields of a packed shot; for the sources of this room alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kilobragg::pixelrefinement {

struct ShotHead {
  std::string identifier;
  std::uint64_t pixels = 0;
};

/// Without unpacking the rest. Throws core::Error as unpack_shot() does.
ShotHead shot_head(std::string_view bytes);

} // namespace kilobragg::pixelrefinement
