// Integrated stills with known intensities, written as composite .expt and .refl files.
#pragma once

#include "kilobragg/core/units.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/models/reflection_table.hpp"
#include "kilobragg/structure_factors/amplitudes.hpp"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace kilobragg::testing {

struct SyntheticRun {
  models::UnitCell cell{42, 52, 62, 90, 90, 90};
  models::SpaceGroup space_group{"P212121"};
  double d_min = 2.6;          ///< angstrom
  int files = 3, lattices = 8; ///< lattices per file
  double width = 6e-4;         ///< of the partiality in excitation error (1/angstrom)
  double log_scale_sigma = 0.8, b_sigma = 3;
  double noise = 20; ///< counts
  unsigned seed = 1;
};

/// A rotation that depends on the generator alone, uniform enough for tests.
inline Mat3 random_rotation(std::mt19937_64& random) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  Vec3 axis;
  do axis = {uniform(random), uniform(random), uniform(random)};
  while (norm2(axis) > 1 || norm2(axis) < 1e-3);
  return rotation_about(unit(axis), core::pi * uniform(random));
}

/// One lattice's rows appended to `table` with id `id`.
inline void append_synthetic_rows(const models::Experiment& experiment, const SyntheticRun& run,
                                  const structure_factors::Amplitudes& truth,
                                  std::mt19937_64& random, std::int32_t id,
                                  models::ReflectionTable& table) {
  std::normal_distribution<double> normal;
  const double scale = std::exp(run.log_scale_sigma * normal(random));
  const double b = run.b_sigma * normal(random);
  auto& ids = table.make<std::int32_t>("id");
  auto& hkls = table.make<models::Miller>("miller_index");
  auto& intensities = table.make<double>("intensity.sum.value");
  auto& variances = table.make<double>("intensity.sum.variance");
  const auto limit = [&](double edge) { return static_cast<int>(edge / run.d_min); };
  const int h_max = limit(run.cell.a), k_max = limit(run.cell.b), l_max = limit(run.cell.c);
  for (int h = -h_max; h <= h_max; ++h)
    for (int k = -k_max; k <= k_max; ++k)
      for (int l = -l_max; l <= l_max; ++l) {
        const Vec3 q = experiment.crystal->q({h, k, l});
        if (norm2(q) > 1 / (run.d_min * run.d_min) || (h == 0 && k == 0 && l == 0)) continue;
        const double error = norm(q + experiment.beam.s0()) - 1 / experiment.beam.wavelength;
        if (std::abs(error) > 2 * run.width) continue;
        const auto f = truth.find({h, k, l});
        if (!f) continue;
        const double part = std::exp(-0.5 * error * error / (run.width * run.width));
        const double mean = scale * std::exp(-0.5 * b * norm2(q)) * part * *f * *f * 1e-2;
        const double variance = mean + run.noise * run.noise;
        ids.push_back(id);
        hkls.push_back({h, k, l});
        intensities.push_back(mean + std::sqrt(variance) * normal(random));
        variances.push_back(variance);
      }
}

inline std::shared_ptr<const models::Detector> small_detector() {
  auto detector = std::make_shared<models::Detector>();
  models::Panel panel;
  panel.frame = {{1, 0, 0}, {0, -1, 0}, {-50, 50, -100}};
  panel.image_size = {1000, 1000};
  detector->panels.push_back(panel);
  return detector;
}

/// Writes run_000_integrated.expt/.refl and so on to `folder`; returns the true amplitudes.
inline structure_factors::Amplitudes write_synthetic_run(const std::filesystem::path& folder,
                                                         const SyntheticRun& run) {
  std::filesystem::create_directories(folder);
  const auto truth = structure_factors::random_wilson(run.cell, run.space_group, run.d_min, 7);
  std::mt19937_64 random(run.seed);
  const auto detector = small_detector();
  for (int file = 0; file < run.files; ++file) {
    std::vector<models::Experiment> experiments;
    models::ReflectionTable table;
    for (std::int32_t id = 0; id < run.lattices; ++id) {
      models::Experiment experiment;
      experiment.identifier = fmt::format("file{}lattice{}", file, id);
      experiment.beam.wavelength = 1.3;
      experiment.detector = detector;
      experiment.crystal =
          models::Crystal::from_cell(run.cell, random_rotation(random), run.space_group);
      experiment.source.path = "/none/image.h5";
      experiment.source.frame = file * run.lattices + id;
      append_synthetic_rows(experiment, run, truth, random, id, table);
      table.identifiers[id] = experiment.identifier;
      experiments.push_back(std::move(experiment));
    }
    table.rows = table.get<std::int32_t>("id").size();
    const std::string stem = (folder / fmt::format("run_{:03d}_integrated", file)).string();
    io::write_experiments(experiments, stem + ".expt");
    io::write_reflections(table, stem + ".refl");
  }
  return truth;
}

} // namespace kilobragg::testing
