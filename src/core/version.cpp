// Version and source commit, compiled in.
#include "kilobragg/core/version.hpp"

#include <fmt/format.h>

namespace kilobragg::core {

std::string version() { return KILOBRAGG_VERSION; }

std::string source_commit() { return KILOBRAGG_COMMIT; }

std::string version_line(const std::string& program) {
  return fmt::format("{} of KiloBragg {} ({})", program, version(), source_commit());
}

} // namespace kilobragg::core
