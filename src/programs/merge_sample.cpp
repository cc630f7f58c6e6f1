// Deciding on the symmetry of a merge.
#include "merge_sample.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/mtz.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace kilobragg::programs {

namespace {

models::UnitCell median_cell(std::vector<models::UnitCell> cells) {
  std::array<double, 6> median{};
  std::vector<double> values(cells.size());
  for (std::size_t p = 0; p < 6; ++p) {
    for (std::size_t i = 0; i < cells.size(); ++i) values[i] = cells[i].parameters()[p];
    std::sort(values.begin(), values.end());
    median[p] = values[values.size() / 2];
  }
  return {median[0], median[1], median[2], median[3], median[4], median[5]};
}

// Hall symbols of all experiments of all ranks and how many have each; on the first rank.
std::map<std::string, std::int64_t> group_counts(const parallel::Communicator& communicator,
                                                 const std::vector<LoadedExperiments>& loaded) {
  std::string mine;
  for (const LoadedExperiments& file : loaded)
    file.for_each_taken([&](const models::Experiment& experiment) {
      mine += experiment.crystal->space_group.hall() + '\n';
    });
  std::map<std::string, std::int64_t> counts;
  for (const std::string& part : communicator.gather(mine))
    for (std::size_t at = 0; at < part.size();) {
      const std::size_t end = part.find('\n', at);
      ++counts[part.substr(at, end - at)];
      at = end + 1;
    }
  return counts;
}

std::string common_group(const std::map<std::string, std::int64_t>& counts) {
  std::string listed;
  for (const auto& [hall, n] : counts)
    listed +=
        fmt::format("{}{} in {}", listed.empty() ? "" : ", ", models::SpaceGroup(hall).hm(), n);
  core::require(counts.size() == 1,
                "the experiments have different space groups ({}); choose one with "
                "scaling.space_group",
                listed);
  return counts.begin()->first;
}

void choose_cell(const parallel::Communicator& communicator, const MergeOptions& options,
                 const std::vector<LoadedExperiments>& loaded,
                 const std::optional<Reference>& model, Sample& sample) {
  std::vector<models::UnitCell> cells;
  for (const LoadedExperiments& file : loaded)
    file.for_each_taken([&](const models::Experiment& experiment) {
      cells.push_back(experiment.crystal->unit_cell());
    });
  cells = communicator.gather(cells);
  parallel::together(communicator, merge_nothing_left, [&] {
    core::require(!communicator.is_root() || !cells.empty(),
                  "nothing to merge (no experiment in any of the files)");
  });
  if (!options.unit_cell.empty()) {
    sample.cell = models::UnitCell::parse(options.unit_cell);
    sample.cell_source = "scaling.unit_cell";
  } else if (model) {
    sample.cell = model->cell;
    sample.cell_source = "the scaling model";
  } else {
    if (communicator.is_root()) sample.cell = median_cell(std::move(cells));
    communicator.broadcast_value(sample.cell);
    sample.cell_source = "the median of the experiments";
  }
}

void choose_group(const parallel::Communicator& communicator, const MergeOptions& options,
                  const std::vector<LoadedExperiments>& loaded,
                  const std::optional<Reference>& model, Sample& sample) {
  const auto counts = group_counts(communicator, loaded);
  if (!options.space_group.empty()) {
    sample.space_group = models::SpaceGroup(options.space_group);
    sample.group_source = "scaling.space_group";
  } else if (model) {
    sample.space_group = model->space_group;
    sample.group_source = "the scaling model";
  } else {
    std::string hall;
    parallel::together(communicator, merge_usage, [&] {
      if (communicator.is_root()) hall = common_group(counts);
    });
    communicator.broadcast(hall);
    sample.space_group = models::SpaceGroup(hall);
    sample.group_source = "the experiments";
  }
}

Reference read_reference(const std::string& path, const std::string& column,
                         const MergeOptions& options, double d_min) {
  const std::string extension = std::filesystem::path(path).extension().string();
  Reference reference;
  if (extension == ".mtz") {
    io::ReferenceIntensities data = io::read_reference_mtz(path, column);
    return {data.cell, data.space_group, {std::move(data.hkl), std::move(data.intensity)}};
  }
  structure_factors::CoordinateParams params;
  params.d_min = d_min;
  params.bulk_solvent = options.bulk_solvent;
  params.k_sol = options.k_sol;
  params.b_sol = options.b_sol;
  if (!options.unit_cell.empty()) params.cell = models::UnitCell::parse(options.unit_cell);
  if (!options.space_group.empty()) params.space_group = models::SpaceGroup(options.space_group);
  structure_factors::Amplitudes amplitudes = structure_factors::from_coordinates(path, params);
  reference.cell = amplitudes.cell;
  reference.space_group = amplitudes.space_group;
  reference.table.hkl = std::move(amplitudes.hkl);
  for (const double f : amplitudes.f) reference.table.intensity.push_back(f * f);
  return reference;
}

// Drops what is finer than d_min.
void limit_resolution(Reference& reference, double d_min) {
  const Mat3 b = reference.cell.b_matrix();
  std::size_t out = 0;
  auto& table = reference.table;
  for (std::size_t i = 0; i < table.hkl.size(); ++i) {
    const models::Miller& m = table.hkl[i];
    if (norm2(b * Vec3{double(m.h), double(m.k), double(m.l)}) * d_min * d_min > 1 + 1e-9) continue;
    table.hkl[out] = m;
    table.intensity[out++] = table.intensity[i];
  }
  table.hkl.resize(out);
  table.intensity.resize(out);
}

} // namespace

Reference load_reference(const parallel::Communicator& communicator, const std::string& path,
                         const std::string& column, const MergeOptions& options, double d_min) {
  Reference reference;
  std::string hall;
  parallel::together(communicator, merge_usage, [&] {
    if (!communicator.is_root()) return;
    reference = read_reference(path, column, options, d_min);
    limit_resolution(reference, d_min);
    core::require(!reference.table.hkl.empty(), "'{}' holds no intensities to {:.2f} A", path,
                  d_min);
    hall = reference.space_group.hall();
  });
  communicator.broadcast_value(reference.cell);
  communicator.broadcast(hall);
  communicator.broadcast(reference.table.hkl);
  communicator.broadcast(reference.table.intensity);
  reference.space_group = models::SpaceGroup(hall);
  return reference;
}

Sample decide_sample(const parallel::Communicator& communicator, const MergeOptions& options,
                     const std::vector<LoadedExperiments>& loaded,
                     const std::optional<Reference>& model) {
  Sample sample;
  choose_cell(communicator, options, loaded, model, sample);
  choose_group(communicator, options, loaded, model, sample);
  const std::string contradiction = sample.space_group.contradiction(sample.cell);
  core::require(contradiction.empty(),
                "the cell {} (from {}) does not fit the space group {} (from {}): {}",
                sample.cell.to_string(), sample.cell_source, sample.space_group.hm(),
                sample.group_source, contradiction);
  if (model)
    core::require(sample.space_group.patterson() == model->space_group.patterson(),
                  "'{}' is in {} but the merge in {} (from {}); their Patterson groups differ",
                  options.model, model->space_group.hm(), sample.space_group.hm(),
                  sample.group_source);
  return sample;
}

} // namespace kilobragg::programs
