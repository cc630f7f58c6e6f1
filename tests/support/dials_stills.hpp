// DIALS's integrated stills of a reference set (data/reference/*.integrated.csv, *.json) as lattices.
#pragma once

#include "kilobragg/models/experiment.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace kilobragg::testing {

struct DialsStill {
  models::Experiment experiment;
  std::vector<models::Miller> hkl;
  std::vector<double> intensity, variance;
};

/// All indexed frames of a set, with the space group `group` and the default beam polarisation.
inline std::vector<DialsStill> read_dials_stills(const std::filesystem::path& folder,
                                                 const std::string& set, const std::string& group) {
  const auto frames = nlohmann::json::parse(std::ifstream(folder / (set + ".json")))["frames"];
  std::map<int, DialsStill> stills;
  for (const auto& [frame, values] : frames.items()) {
    models::Crystal crystal;
    for (std::size_t i = 0; i < 9; ++i) crystal.a_matrix.m[i] = values["A_matrix_per_angstrom"][i];
    crystal.space_group = models::SpaceGroup(group);
    DialsStill& still = stills[std::stoi(frame)];
    still.experiment.crystal = crystal;
    still.experiment.identifier = set + "/" + frame;
    still.experiment.beam.wavelength = values["wavelength_angstrom"];
  }
  std::ifstream csv(folder / (set + ".integrated.csv"));
  std::string line, field;
  std::getline(csv, line); // frame,panel,h,k,l,x_px,y_px,intensity,variance,d_angstrom
  while (std::getline(csv, line)) {
    std::vector<double> v;
    for (std::istringstream in(line); std::getline(in, field, ',');) v.push_back(std::stod(field));
    DialsStill& still = stills.at(static_cast<int>(v[0]));
    still.hkl.push_back({static_cast<int>(v[2]), static_cast<int>(v[3]), static_cast<int>(v[4])});
    still.intensity.push_back(v[7]);
    still.variance.push_back(v[8]);
  }
  std::vector<DialsStill> result;
  for (auto& [frame, still] : stills) result.push_back(std::move(still));
  return result;
}

} // namespace kilobragg::testing
