// Reads coordinates of PDB and mmCIF files, gzipped or not.
#pragma once

#include "kilobragg/structure_factors/amplitudes.hpp"

#include <gemmi/model.hpp>

namespace kilobragg::structure_factors {

/// The structure with cell and space group, those of `params` in place of the file's where given.
/// Throws core::Error naming the file.
gemmi::Structure read_structure(const std::string& path, const CoordinateParams& params);

} // namespace kilobragg::structure_factors
