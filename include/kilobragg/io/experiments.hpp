// .expt files: JSON lists of experiments as dxtbx reads and writes them.
#pragma once

#include "kilobragg/models/experiment.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Parses an .expt, whose path `name` is. Equal detectors are shared in memory. One experiment
/// without a crystal over an image set of n images becomes n experiments. Images are looked for
/// relative to the .expt, then at their absolute paths. Throws core::Error naming `name`, the object
/// and the key.
std::vector<models::Experiment> parse_experiments(const std::string& text, const std::string& name);
std::vector<models::Experiment> read_experiments(const std::string& path);

/// The JSON text of an experiment list. Image paths in "images" are relative to `directory`, where the
/// .expt will lie (DIALS follows them); the absolute ones stand beside, in the imageset's "params".
std::string format_experiments(const std::vector<models::Experiment>& experiments,
                               const std::string& directory);
/// Writes to a temporary file beside `path` and renames it. Throws core::Error (disk full, ...).
void write_experiments(const std::vector<models::Experiment>& experiments, const std::string& path);

/// Builds an experiment list one by one; equal models are written once. Spectra are left out: the
/// format has no place for them.
class ExperimentListWriter {
public:
  /// `directory` is where the .expt will lie.
  explicit ExperimentListWriter(const std::string& directory);
  ~ExperimentListWriter();
  ExperimentListWriter(ExperimentListWriter&&) noexcept;

  void add(const models::Experiment& experiment);
  std::size_t size() const;
  std::string text() const;
  /// Writes text() as write_experiments() does.
  void write(const std::string& path) const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::io
