// Real stills refined against their pixels from a structure: where do predictions go?
#include "support/csv_table.hpp"
#include "support/strong_spots.hpp"
#include "support/test_data.hpp"

#include "kilobragg/core/numbers.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/indexing/indexer.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/models/mapping.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"
#include "kilobragg/pixelrefinement/shot_prediction.hpp"
#include "kilobragg/structure_factors/load.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

struct Case {
  const char* set;
  const char* cell;
  const char* group;
  double d_min_start;
  const char*
      structure; ///< coordinates; empty = none are known, all factors are their shell's mean
  double d_min;
  double gain, readout; ///< counts per photon, rms counts
  double bandwidth; ///< relative, full width at half maximum of a Gaussian spectrum; 0 = one line
  /// Largest RMSD of the refined model in those of the rays, of each frame.
  std::vector<double> worst;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.set; }

struct Seen {
  models::Miller hkl;
  int panel;
  models::PanelPoint px;
};

/// A Gaussian about the wavelength: that of these pulses was not recorded.
models::Spectrum gaussian_spectrum(double wavelength, double fwhm) {
  models::Spectrum spectrum;
  if (fwhm == 0) return spectrum;
  constexpr int half = 5;
  for (int i = -half; i <= half; ++i) {
    const double t = double(i) / half; // of the full width at half maximum
    spectrum.wavelengths.push_back(wavelength * (1 + t * fwhm));
    spectrum.weights.push_back(std::exp(-4 * std::log(2.0) * t * t));
  }
  return spectrum;
}

FactorTable factors_of(const Case& of, const models::Crystal& crystal) {
  FactorTable table = make_factor_table(crystal.unit_cell(), crystal.space_group, of.d_min, false);
  // Unknown factors differ from the mean of their shell by Wilson's spread; those of a structure by its R.
  std::fill(table.sigma.begin(), table.sigma.end(), 0.6);
  if (*of.structure == '\0') {
    // An overall B stands in for the fall of intensities.
    for (std::size_t i = 0; i < table.size(); ++i) {
      const models::Miller m = table.index[i].miller();
      const double inv_d2 =
          norm2(table.cell.b_matrix() * Vec3{double(m.h), double(m.k), double(m.l)});
      table.f[i] = 300 * std::exp(-5 * inv_d2);
    }
    return table;
  }
  structure_factors::LoadParams load;
  load.coordinates.d_min = of.d_min;
  const auto known = structure_factors::load_amplitudes(
      (testing::test_data() / "structures" / of.structure).string(), load);
  for (std::size_t k = 0; k < known.hkl.size(); ++k) {
    const std::int32_t row = table.row_of(known.hkl[k]);
    if (row < 0) continue;
    const auto r = static_cast<std::size_t>(row);
    table.f[r] = std::max(known.layers.front().plus[k], 1.0);
    table.sigma[r] = 0.25;
    table.measured[r] = 1;
  }
  return table;
}

/// Frames of a set: our indexing, and the spots that DIALS indexed.
struct Set {
  std::unique_ptr<io::ImageReader> reader;
  indexing::IndexingParams params;
  std::map<int, models::SpotList> spots;
  std::map<int, std::vector<Seen>> seen;
  std::map<int, Mat3> dials;

  explicit Set(const Case& of) {
    const auto data = testing::test_data();
    const std::string name = of.set;
    reader = io::open_images((data / "images" / (name + ".h5")).string());
    params.unit_cell = models::UnitCell::parse(of.cell);
    params.space_group = models::SpaceGroup(of.group);
    params.d_min_start = of.d_min_start;
    spots = testing::strong_spots(name, "dispersion_extended", *reader);
    const auto indexed = testing::read_csv(data / "reference" / (name + ".indexed.csv"));
    for (std::size_t i = 0; i < indexed.rows; ++i)
      seen[int(indexed["frame"][i])].push_back(
          {{int(indexed["h"][i]), int(indexed["k"][i]), int(indexed["l"][i])},
           int(indexed["panel"][i]),
           {indexed["x_obs_px"][i], indexed["y_obs_px"][i]}});
    std::ifstream file(data / "reference" / (name + ".json"));
    const nlohmann::json json = nlohmann::json::parse(file);
    for (const auto& [frame, value] : json["frames"].items())
      for (int i = 0; i < 9; ++i) dials[std::stoi(frame)].m[i] = value["A_matrix_per_angstrom"][i];
  }
};

/// DIALS's index in our setting: the matrix between the two is rounded.
models::Miller in_our_setting(const models::Miller& hkl, const Mat3& dials, const Mat3& ours) {
  Mat3 change = inverse(ours) * dials;
  for (double& element : change.m) element = std::round(element);
  const Vec3 h = change * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)};
  return {int(std::lround(h.x)), int(std::lround(h.y)), int(std::lround(h.z))};
}

/// Sums of square distances (px^2) from the spots seen, of those that all predictions have.
struct Distances {
  double rays = 0;   ///< of the refinement before: one ray per spot
  double before = 0; ///< centroids of the pixel model as it begins
  double after = 0;  ///< ... and as it ends
  int spots = 0, out_of_model = 0;

  void add(const Distances& other) {
    rays += other.rays, before += other.before, after += other.after;
    spots += other.spots, out_of_model += other.out_of_model;
  }
  double rmsd(double sum) const { return std::sqrt(sum / spots); }
};

constexpr int points = 3; ///< per pixel edge

using Centroids = std::map<std::pair<models::Miller, int>, models::PanelPoint>;

Centroids centroids_of(const ShotModel& shot, const FactorSphere& sphere,
                       const std::vector<double>& mean) {
  Centroids centroids;
  ShotPredictionParams all;
  all.threshold = 0;
  all.oversample = points;
  for (const PredictedSpot& spot : predict_shot(shot, sphere, mean, all))
    centroids[{spot.hkl, spot.panel}] = spot.px;
  return centroids;
}

double square(const models::PanelPoint& a, const models::PanelPoint& b) {
  return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y);
}

/// Residuals of bright boxes summed over the distance from the model's brightest pixel, away from the beam
/// (along) and around it (across), in parts of the model's light at the centre.
void print_residuals(const ShotModel& shot, const ShotPixels& pixels,
                     const std::vector<double>& bragg) {
  constexpr int reach = 4;
  constexpr double least = 10; // photons of the brightest pixel
  std::array<double, 2 * reach + 1> along{}, across{};
  double centre = 0;
  int boxes = 0;
  for (const ReflectionBox& box : pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    const auto begin = bragg.begin() + std::ptrdiff_t(box.first);
    const auto brightest = std::max_element(begin, begin + std::ptrdiff_t(box.box.size()));
    if (*brightest < least) continue;
    ++boxes;
    const models::Panel& panel = shot.detector->panels[std::size_t(box.box.panel)];
    const int width = box.box.x1 - box.box.x0;
    const auto place = [&](std::ptrdiff_t i) {
      return panel.pixel_to_lab({double(box.box.x0) + double(i % width) + 0.5,
                                 double(box.box.y0) + double(i / width) + 0.5});
    };
    const Vec3 middle = place(brightest - begin);
    const Vec3 outward = unit(Vec3{middle.x, middle.y, 0});
    const Vec3 around{-outward.y, outward.x, 0};
    for (std::size_t i = 0; i < box.box.size(); ++i) {
      if (pixels.used[box.first + i] == 0) continue;
      const Vec3 away = (1 / panel.pixel_size[0]) * (place(std::ptrdiff_t(i)) - middle);
      const long u = std::lround(dot(away, outward)), v = std::lround(dot(away, around));
      const double residual = double(pixels.value[box.first + i]) -
                              double(pixels.background[box.first + i]) - begin[std::ptrdiff_t(i)];
      if (std::abs(v) <= 1 && std::abs(u) <= reach) along[std::size_t(u + reach)] += residual;
      if (std::abs(u) <= 1 && std::abs(v) <= reach) across[std::size_t(v + reach)] += residual;
      if (u == 0 && std::abs(v) <= 1) centre += begin[std::ptrdiff_t(i)];
    }
  }
  std::printf("    residual of %d bright boxes (%% of the centre), inward to outward:", boxes);
  for (const double r : along) std::printf(" %.1f", 100 * r / centre);
  std::printf("; around:");
  for (const double r : across) std::printf(" %.1f", 100 * r / centre);
  std::printf("\n");
}

/// Spots that DIALS indexed in four parts, of which one is kept from both refinements; none = -1.
class HeldOut {
public:
  static constexpr int parts = 4;
  HeldOut(const std::vector<Seen>& seen, int part)
      : seen_(seen)
      , part_(part) {}

  /// Those to compare predictions with.
  std::vector<Seen> compared() const {
    std::vector<Seen> spots;
    for (std::size_t i = 0; i < seen_.size(); ++i)
      if (part_ < 0 || is_held_out(i)) spots.push_back(seen_[i]);
    return spots;
  }
  models::SpotList without(models::SpotList list) const {
    constexpr double same = 2; // px
    std::erase_if(list.spots, [&](const models::Spot& spot) {
      return any([&](const Seen& s) {
        return s.panel == spot.panel && square(s.px, spot.px) < core::squared(same);
      });
    });
    return list;
  }
  std::vector<PredictedSpot> without(std::vector<PredictedSpot> spots, const Mat3& dials,
                                     const Mat3& ours) const {
    std::erase_if(spots, [&](const PredictedSpot& spot) {
      return any([&](const Seen& s) { return in_our_setting(s.hkl, dials, ours) == spot.hkl; });
    });
    return spots;
  }

private:
  bool is_held_out(std::size_t i) const { return part_ >= 0 && int(i % parts) == part_; }
  template <typename Matches>
  bool any(const Matches& matches) const {
    for (std::size_t i = 0; i < seen_.size(); ++i)
      if (is_held_out(i) && matches(seen_[i])) return true;
    return false;
  }

  const std::vector<Seen>& seen_;
  int part_;
};

/// A still that both refinements have seen.
struct Still {
  models::Lattice rays;
  ShotModel shot;
  ShotPixels pixels;
  std::vector<double> bragg; ///< the model's photons of these
  Stage1Result result;
  Centroids before, after;
};

/// With the crystal of the rays, blocks of twenty cells and a spread of a milliradian.
ShotModel first_shot(const Case& of, const Set& set, int frame, const models::Crystal& crystal) {
  ShotModel shot;
  shot.identifier = std::to_string(frame);
  shot.detector = set.reader->detector();
  shot.beam = set.reader->beam(frame);
  shot.beam.spectrum = gaussian_spectrum(shot.beam.wavelength, of.bandwidth);
  diffraction::ShotLattice lattice;
  lattice.crystal = crystal;
  lattice.size = 20 * Mat3::identity();
  lattice.rotation = core::squared(0.001) * Mat3::identity();
  shot.lattices = {lattice};
  shot.lattice_identifiers = {shot.identifier};
  return shot;
}

void set_scale(Still& still, const models::Image& image, const FactorTable& table,
               const FactorSphere& sphere, const ShoeboxParams& boxes, const Stage1Params& params) {
  ShotPredictionParams any;
  any.threshold = 0;
  any.oversample = points;
  auto bright = predict_shot(still.shot, sphere, mean_intensities(table), any);
  std::stable_sort(bright.begin(), bright.end(),
                   [](const auto& a, const auto& b) { return a.photons > b.photons; });
  bright.resize(std::min<std::size_t>(bright.size(), 300));
  const ShotPixels first = cut_shoeboxes(image, *still.shot.detector, bright, "", boxes);
  ASSERT_GT(set_first_scale(still.shot, first, table, sphere, params), 0);
}

/// Indexes a still and refines it against its pixels, twice, without what is held out.
void refine(const Case& of, const Set& set, int frame, const HeldOut& held_out, Still& still) {
  const indexing::Indexer indexer(set.params);
  const auto found = indexer.index(held_out.without(set.spots.at(frame)), set.reader->beam(frame),
                                   *set.reader->detector());
  ASSERT_EQ(found.lattices.size(), 1U) << "frame " << frame;
  still.rays.crystal = found.lattices[0].crystal;
  still.rays.psi_spread = found.lattices[0].psi_spread;
  ShotModel& shot = still.shot = first_shot(of, set, frame, still.rays.crystal);

  const FactorTable table = factors_of(of, still.rays.crystal);
  const FactorSphere sphere = expand_to_sphere(table);
  const std::vector<double> mean = mean_intensities(table);
  const models::Image& image = set.reader->read(frame);
  ShoeboxParams boxes;
  boxes.gain = of.gain;
  boxes.readout = of.readout;
  Stage1Params params;
  params.target.likelihood = Likelihood::NoisyPoisson;
  params.target.oversample = points;
  set_scale(still, image, table, sphere, boxes, params);
  still.before = centroids_of(shot, sphere, mean);
  for (int cycle = 0; cycle < 2; ++cycle) {
    const auto predicted =
        held_out.without(predict_shot(shot, sphere, mean, {.oversample = points}),
                         set.dials.at(frame), still.rays.crystal.a_matrix);
    still.pixels = cut_shoeboxes(image, *shot.detector, predicted, shot.identifier, boxes);
    still.result = refine_shot(shot, still.pixels, table, sphere, params);
    ASSERT_TRUE(shot.state == ShotState::Refined || shot.state == ShotState::Limit)
        << "frame " << frame << ": " << word_of(shot.state);
    still.bragg = model_image(shot, still.pixels, table, sphere, params).bragg;
    fit_backgrounds(still.pixels, still.bragg, boxes);
  }
  still.after = centroids_of(shot, sphere, mean);
}

Distances compare(const Set& set, int frame, const HeldOut& held_out, const Still& still) {
  models::Lattice rays = still.rays;
  models::SpotList seen;
  std::vector<models::PanelPoint> before, after;
  Distances distances;
  for (const Seen& s : held_out.compared()) {
    const std::pair key{in_our_setting(s.hkl, set.dials.at(frame), still.rays.crystal.a_matrix),
                        s.panel};
    if (!still.before.contains(key) || !still.after.contains(key)) {
      ++distances.out_of_model;
      continue;
    }
    models::Spot spot;
    spot.panel = s.panel;
    spot.px = s.px;
    models::IndexedSpot indexed;
    indexed.spot = static_cast<std::uint32_t>(seen.size());
    indexed.hkl = key.first;
    seen.spots.push_back(spot);
    rays.spots.push_back(indexed);
    before.push_back(still.before.at(key));
    after.push_back(still.after.at(key));
  }
  refinement::predict_indexed(rays, seen, still.shot.beam, *still.shot.detector);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const models::PanelPoint& px = seen.spots[i].px;
    distances.rays += square({rays.spots[i].px_cal.x, rays.spots[i].px_cal.y}, px);
    distances.before += square(before[i], px);
    distances.after += square(after[i], px);
    ++distances.spots;
  }
  return distances;
}

void print(const Case& of, int frame, const char* what, const Distances& d) {
  std::printf(
      "  %s %d: RMSD on %d spots %s (%d are not in the model): rays %.3f, model at first %.3f, "
      "refined %.3f px\n",
      of.set, frame, d.spots, what, d.out_of_model, d.rmsd(d.rays), d.rmsd(d.before),
      d.rmsd(d.after));
}

void print(const Case& of, int frame, const Still& still) {
  const Mat3& n = still.shot.lattices[0].size;
  const Stage1Result& result = still.result;
  std::printf(
      "  %s %d: %s, %d evaluations, %zu boxes, sigma-Z %.3f (factors as known %.3f), N %.1f %.1f "
      "%.1f / %.1f %.1f %.1f, spread %.4f deg\n",
      of.set, frame, word_of(still.shot.state), result.evaluations, result.boxes, result.sigma_z,
      result.sigma_z_known, n(0, 0), n(1, 1), n(2, 2), n(0, 1), n(0, 2), n(1, 2),
      std::sqrt(trace(still.shot.lattices[0].rotation) / 3) / core::degree);
}

class PixelStills : public ::testing::TestWithParam<Case> {};

TEST_P(PixelStills, ConvergeWithPredictionsOnTheSpots) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const Case& of = GetParam();
  const Set set(of);
  for (const auto& [frame, seen] : set.seen) {
    SCOPED_TRACE(frame);
    const HeldOut nothing(seen, -1);
    Still still;
    ASSERT_NO_FATAL_FAILURE(refine(of, set, frame, nothing, still));
    EXPECT_EQ(still.shot.state, ShotState::Refined);
    EXPECT_GT(still.result.sigma_z_known, 0.7);
    EXPECT_LT(still.result.sigma_z_known, 2);
    print(of, frame, still);
    print_residuals(still.shot, still.pixels, still.bragg);
    const Distances d = compare(set, frame, nothing, still);
    print(of, frame, "that both have seen", d);
    // With the crystal of the rays the model puts spots where they do, as far as its blocks are not yet those
    // of the crystal: without the parallax of CSPAD's sensors it was out by 2.2 times the rays' RMSD.
    EXPECT_LT(d.before, core::squared(1.3) * d.rays);
    EXPECT_LT(d.after, core::squared(of.worst[std::size_t(frame)]) * d.rays);
  }
}

// Rays are fitted to the centres of just the spots that they are then compared with. Which refinement
// predicts better, spots that neither has seen tell.
TEST_P(PixelStills, PredictUnseenSpotsBetterThanRays) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const Case& of = GetParam();
  const Set set(of);
  for (const auto& [frame, seen] : set.seen) {
    SCOPED_TRACE(frame);
    Distances all;
    for (int part = 0; part < HeldOut::parts; ++part) {
      const HeldOut held_out(seen, part);
      Still still;
      ASSERT_NO_FATAL_FAILURE(refine(of, set, frame, held_out, still));
      all.add(compare(set, frame, held_out, still));
    }
    print(of, frame, "that neither has seen", all);
    EXPECT_EQ(all.spots + all.out_of_model, int(seen.size()));
    EXPECT_GE(all.spots, int(0.9 * double(seen.size())));
    EXPECT_LT(all.after, all.rays);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Real, PixelStills,
    ::testing::Values( //
        Case{"thermolysin_cspad",
             "92.9 92.9 130.4 90 90 120",
             "P6122",
             1.7,
             "thermolysin_4tnl.pdb",
             2.2,
             25,
             8,
             0.002,
             {1.0, 0.96}},
        Case{"rayonix_mfx", "41.9 75.7 102 90 90 90", "P212121", 2, "", 2.2, 0.46, 1, 0, {1.14}}),
    [](const auto& test_case) { return std::string(test_case.param.set); });

} // namespace
} // namespace kilobragg::pixelrefinement
