// A command line of nanoBragg as a detector, a beam and a shot of ours: the options that tests use.
#pragma once

#include "kernels/diffraction/mosaic_blocks.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/renderer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace kilobragg::testing {

/// nanoBragg's axes (beam along +x, polarisation along z) as ours (beam along -z).
inline Vec3 from_nanobragg(const Vec3& v) { return {v.z, v.y, -v.x}; }

class NanoBraggCommand {
public:
  explicit NanoBraggCommand(const std::string& line) {
    std::istringstream words(line);
    std::string word, name;
    words >> word;
    while (words >> word)
      if (word.size() > 1 && word[0] == '-' &&
          std::isalpha(static_cast<unsigned char>(word[1])) != 0)
        options_[name = word.substr(1)];
      else
        options_[name].push_back(word);
  }

  bool has(const std::string& name) const { return options_.count(name) != 0; }
  std::string text(const std::string& name) const { return options_.at(name).at(0); }
  double number(const std::string& name, double otherwise, std::size_t i = 0) const {
    return has(name) ? std::stod(options_.at(name).at(i)) : otherwise;
  }

  /// Of square pixels on a square panel in nanoBragg's default (MOSFLM) position: half a pixel beyond the
  /// middle and another half for the centre of the first pixel.
  models::Detector detector() const {
    models::Panel panel;
    const int pixels = static_cast<int>(number("detpixels", 1024));
    const double size = number("pixel", 0.1), to_beam = pixels * size / 2 + size;
    panel.frame.fast = from_nanobragg({0, 0, 1});
    panel.frame.slow = from_nanobragg({0, -1, 0});
    panel.frame.origin = number("distance", 100) * from_nanobragg({1, 0, 0}) -
                         to_beam * panel.frame.fast - to_beam * panel.frame.slow;
    panel.pixel_size = {size, size};
    panel.image_size = {pixels, pixels};
    if (has("detector_thick")) {
      // n steps are spread over n - 1 intervals, and the last layer is as thick as the others.
      const int n = layers();
      panel.thickness = 1e-3 * number("detector_thick", 0) * n / (n - 1);
      panel.mu = 1e3 / number("detector_abs", 0);
    }
    models::Detector result;
    result.panels.push_back(panel);
    return result;
  }

  diffraction::RenderParams params() const {
    diffraction::RenderParams params;
    params.oversample = static_cast<int>(number("oversample", 1));
    params.layers = layers();
    params.tail = 1e-13;
    params.floor = 1e-300;
    params.factors = diffraction::FactorPoint::NanoBragg;
    return params;
  }

  /// Without the polarisation of a synchrotron, as is nanoBragg's default.
  models::Beam beam() const {
    models::Beam beam;
    beam.direction = from_nanobragg({-1, 0, 0});
    beam.polarization_normal = from_nanobragg({0, 1, 0});
    beam.polarization_fraction = 0.5;
    beam.wavelength = number("lambda", 1);
    if (has("dispersion")) {
      const int n = static_cast<int>(number("dispsteps", 0));
      const double range = number("dispersion", 0) / 100;
      for (int i = 0; i < n; ++i) {
        beam.spectrum.wavelengths.push_back(beam.wavelength *
                                            (1 + range * i / (n - 1) - range / 2));
        beam.spectrum.weights.push_back(1);
      }
    }
    return beam;
  }

  /// The beam of the first source, which alone decides nanoBragg's polarisation.
  models::Beam first_beam() const {
    models::Beam first = beam();
    if (const auto sources = divergence(); !sources.empty())
      first.direction = sources.front().direction;
    return first;
  }

  diffraction::Shot shot() const {
    diffraction::Shot shot;
    shot.beam = beam();
    shot.divergence = divergence();
    shot.fluence = number("fluence", 125932015286227086360700780544.0);
    diffraction::ShotLattice lattice;
    lattice.crystal.a_matrix = a_matrix();
    const double n = number("N", 1);
    lattice.size = {{number("Na", n), 0, 0, 0, number("Nb", n), 0, 0, 0, number("Nc", n)}};
    lattice.shape = has("square_xtal")    ? diffraction::CrystalShape::Square
                    : has("round_xtal")   ? diffraction::CrystalShape::Round
                    : has("tophat_spots") ? diffraction::CrystalShape::Tophat
                                          : diffraction::CrystalShape::Gauss;
    shot.lattices.push_back(lattice);
    return shot;
  }

  /// As many blocks as asked for, the first one straight, drawn from nanoBragg's distribution.
  std::vector<Mat3> blocks(std::uint64_t seed) const {
    std::vector<Mat3> all{Mat3::identity()};
    diffraction::RandomStream random(seed, 0, 0);
    const double spread = number("mosaic_spread", 0) * 3.14159265358979323846 / 180;
    while (all.size() < std::size_t(number("mosaic_dom", 1)))
      all.push_back(diffraction::cap_rotation(random, spread));
    return all;
  }

private:
  int layers() const { return static_cast<int>(number("detector_thicksteps", 1)); }

  /// Columns a*, b*, c* (1/angstrom): a* along x, b* in the plane of x and y, then the turns about x, y, z.
  Mat3 a_matrix() const {
    constexpr double degree = 3.14159265358979323846 / 180;
    for (std::size_t i = 3; i < 6; ++i)
      core::require(number("cell", 0, i) == 90, "only orthogonal cells are understood here");
    const Mat3 b{{1 / number("cell", 0, 0), 0, 0, 0, 1 / number("cell", 0, 1), 0, 0, 0,
                  1 / number("cell", 0, 2)}};
    const Mat3 turn = rotation_about({0, 0, 1}, number("misset", 0, 2) * degree) *
                      rotation_about({0, 1, 0}, number("misset", 0, 1) * degree) *
                      rotation_about({1, 0, 0}, number("misset", 0, 0) * degree);
    const Mat3 a = turn * b;
    return Mat3::from_columns(from_nanobragg(a.col(0)), from_nanobragg(a.col(1)),
                              from_nanobragg(a.col(2)));
  }

  std::vector<diffraction::BeamDirection> divergence() const {
    std::vector<diffraction::BeamDirection> directions;
    if (!has("hdivrange")) return directions;
    const std::array<double, 2> range{number("hdivrange", 0) / 1000, number("vdivrange", 0) / 1000},
        step{number("hdivstep", 0) / 1000, number("vdivstep", 0) / 1000};
    const std::array<int, 2> n{static_cast<int>(std::ceil(range[0] / step[0])),
                               static_cast<int>(std::ceil(range[1] / step[1]))};
    const Vec3 polar{0, 0, 1}, vertical = cross(Vec3{1, 0, 0}, polar);
    for (int i = 0; i < n[0]; ++i)
      for (int j = 0; j < n[1]; ++j) {
        const double h = step[0] * i - range[0] / 2, v = step[1] * j - range[1] / 2;
        const double round =
            (h * h - step[0] * step[0] / 4 * (1 - n[0] % 2)) / (range[0] * range[0]) +
            (v * v - step[1] * step[1] / 4 * (1 - n[1] % 2)) / (range[1] * range[1]);
        if (round * 4 > 1.1) continue;
        const Vec3 source =
            rotation_about(vertical, h) * (rotation_about(polar, v) * Vec3{-1, 0, 0});
        directions.push_back({from_nanobragg(source), 1});
      }
    return directions;
  }

  std::map<std::string, std::vector<std::string>> options_;
};

/// A list "h k l F" of all indices.
inline diffraction::ReflectionSphere read_hkl(const std::string& path) {
  diffraction::ReflectionSphere sphere;
  std::ifstream file(path);
  models::Miller hkl;
  for (double f = 0; file >> hkl.h >> hkl.k >> hkl.l >> f;) {
    sphere.hkl.push_back(hkl);
    sphere.f_squared.push_back(f * f);
  }
  return sphere;
}

inline std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), values.size() * sizeof(float), reinterpret_cast<char*>(values.data()));
  return values;
}

/// How two images differ where they are bright.
struct ImageDifference {
  std::size_t compared = 0;
  double largest = 0; ///< relative difference of pixels above `above` times the brightest
  std::size_t index = 0;
};

inline ImageDifference compare_images(const std::vector<float>& ours,
                                      const std::vector<float>& theirs, double above = 1e-6) {
  ImageDifference difference;
  double brightest = 0;
  for (const float value : theirs) brightest = std::max(brightest, static_cast<double>(value));
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const auto a = static_cast<double>(ours[i]), b = static_cast<double>(theirs[i]);
    if (b < above * brightest && a < above * brightest) continue;
    ++difference.compared;
    const double relative = std::abs(a - b) / std::max(a, b);
    if (relative > difference.largest) difference.largest = relative, difference.index = i;
  }
  return difference;
}

} // namespace kilobragg::testing
