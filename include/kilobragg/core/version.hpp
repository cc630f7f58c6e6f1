// Which KiloBragg this is, and the words that identify a run in logs and result files.
#pragma once

#include <string>

namespace kilobragg::core {

/// "0.1.0".
std::string version();
/// "git describe" of the sources at configure time, or "unknown".
std::string source_commit();
/// "KiloBragg 0.1.0 (1a2b3c4)", the first line of every log.
std::string version_line(const std::string& program);

} // namespace kilobragg::core
