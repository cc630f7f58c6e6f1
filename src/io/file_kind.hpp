// Tells image files apart by their first bytes.
#pragma once

#include <string>

namespace kilobragg::io {

enum class FileKind { hdf5, cbf, experiments, unknown };

/// Throws core::Error naming `path` if it cannot be opened or is empty.
FileKind file_kind(const std::string& path);

} // namespace kilobragg::io
