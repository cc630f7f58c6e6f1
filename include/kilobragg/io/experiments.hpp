// .expt files: JSON lists of experiments as dxtbx reads and writes them.
#pragma once

#include "kilobragg/models/experiment.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace kilobragg::io {

/// Parses an .expt. Models shared in the file are shared in memory. Throws core::Error naming `name`.
std::vector<models::Experiment> parse_experiments(const std::string& text, const std::string& name);
std::vector<models::Experiment> read_experiments(const std::string& path);

/// The JSON text of an experiment list. Image paths are written relative to `directory` (where the
/// .expt will lie) in imageset "params" beside the absolute ones that DIALS reads from "images".
std::string format_experiments(const std::vector<models::Experiment>& experiments,
                               const std::string& directory);
/// Writes to a temporary file beside `path` and renames it. Throws core::Error (disk full, ...).
void write_experiments(const std::vector<models::Experiment>& experiments, const std::string& path);

} // namespace kilobragg::io
