// DIALS's refined lattices of the reference sets, with our strong spots, ready to be integrated.
#pragma once

#include "support/csv_table.hpp"

#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/models/lattice.hpp"
#include "kilobragg/models/mapping.hpp"
#include "kilobragg/refinement/refine_still.hpp"
#include "kilobragg/spotfinding/spot_finder.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

namespace kilobragg::testing {

/// A reference set as reference/<name>.phil processed it.
struct ReferenceSet {
  std::string name, space_group;
  spotfinding::SpotfinderParams spots;
  bool centroid_definition_com = false;
};

inline ReferenceSet reference_set(const std::string& name) {
  ReferenceSet set{.name = name, .space_group = "", .spots = {}};
  auto& filter = set.spots.filter;
  auto& dispersion = set.spots.dispersion;
  filter.min_spot_size = 2;
  if (name == "thermolysin_cspad") {
    set.space_group = "P6122";
    dispersion.gain = 25, dispersion.global_threshold = 100;
  } else if (name == "rayonix_mfx") {
    set.space_group = "P212121";
    set.centroid_definition_com = true;
    dispersion.gain = 0.46, dispersion.global_threshold = 100;
    filter.d_min = 2, filter.d_max = 18;
  } else if (name == "thaumatin_i24") {
    set.space_group = "P41212";
    filter.min_spot_size = 3, filter.d_min = 1.8;
  } else {
    set.space_group = "P43212";
    set.spots.algorithm = spotfinding::ThresholdAlgorithm::Dispersion;
  }
  return set;
}

/// One frame with DIALS's crystal, mosaicity and indexed spots.
struct ReferenceStill {
  models::Image image;
  models::Beam beam;
  models::SpotList spots;
  models::Lattice lattice;
};

/// The frames of one set that DIALS indexed.
class ReferenceLattices {
public:
  ReferenceLattices(const std::filesystem::path& data, const std::string& name)
      : set_(reference_set(name))
      , reader_(io::open_images((data / "images" / (name + ".h5")).string()))
      , finder_(set_.spots)
      , indexed_(read_csv(data / "reference" / (name + ".indexed.csv")))
      , frames_(nlohmann::json::parse(std::ifstream(data / "reference" / (name + ".json")))) {
    detector_ = reader_->detector();
  }

  const ReferenceSet& set() const { return set_; }
  const models::Detector& detector() const { return *detector_; }
  std::vector<int> frames() const {
    std::vector<int> result;
    for (const auto& [key, value] : frames_.at("frames").items()) result.push_back(std::stoi(key));
    return result;
  }

  /// Spots are those of ours within 0.01 px of DIALS's indexed ones.
  ReferenceStill still(int frame) {
    ReferenceStill still;
    still.image = reader_->read(frame);
    still.beam = reader_->beam(frame);
    still.spots = finder_.find(still.image, *detector_, still.beam);
    models::map_spots(still.spots, *detector_, still.beam);
    const auto& values = frames_.at("frames").at(std::to_string(frame));
    models::Crystal& crystal = still.lattice.crystal;
    for (std::size_t i = 0; i < 9; ++i) crystal.a_matrix.m[i] = values["A_matrix_per_angstrom"][i];
    crystal.space_group = models::SpaceGroup(set_.space_group);
    crystal.mosaicity =
        models::Mosaicity{values["half_mosaicity_deg"], values["domain_size_angstrom"]};
    add_indexed(frame, still);
    refinement::predict_indexed(still.lattice, still.spots, still.beam, *detector_);
    return still;
  }

private:
  void add_indexed(int frame, ReferenceStill& still) const {
    for (std::size_t row = 0; row < indexed_.rows; ++row) {
      if (static_cast<int>(indexed_["frame"][row]) != frame) continue;
      for (std::uint32_t i = 0; i < still.spots.size(); ++i) {
        const models::Spot& spot = still.spots.spots[i];
        if (spot.panel != static_cast<int>(indexed_["panel"][row]) ||
            std::abs(spot.px.x - indexed_["x_obs_px"][row]) > 0.01 ||
            std::abs(spot.px.y - indexed_["y_obs_px"][row]) > 0.01)
          continue;
        models::IndexedSpot indexed;
        indexed.spot = i;
        indexed.hkl = {static_cast<int>(indexed_["h"][row]), static_cast<int>(indexed_["k"][row]),
                       static_cast<int>(indexed_["l"][row])};
        indexed.flags = models::flag_indexed | models::flag_used_in_refinement;
        still.lattice.spots.push_back(indexed);
        break;
      }
    }
  }

  ReferenceSet set_;
  std::unique_ptr<io::ImageReader> reader_;
  std::shared_ptr<const models::Detector> detector_;
  spotfinding::SpotFinder finder_;
  CsvTable indexed_;
  nlohmann::json frames_;
};

} // namespace kilobragg::testing
