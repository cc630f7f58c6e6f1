// Names of the flags that every program has.
#pragma once

#include <array>

namespace kilobragg::core {

inline constexpr std::array common_flags{"help",      "version", "show-config", "config",
                                         "log-level", "verbose", "quiet"};

} // namespace kilobragg::core
