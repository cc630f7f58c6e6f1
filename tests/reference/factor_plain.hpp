// The likelihood of stage 2 pixel by pixel, as its formulas are written.
#pragma once

#include "kernels/pixelrefinement/likelihood.hpp"

#include "kilobragg/pixelrefinement/shot_stream.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace kilobragg::testing {

/// Columns of one flat vector: [ln F | g of all lattices | B of all shots | u of all lattices].
struct PlainFactors {
  double f = 0, left_out = 0;
  std::vector<double> gradient, information,
      squares; ///< squares: of scores of segments, by unknown
};

struct PlainPart {
  std::size_t segment;
  double kernel;
};

/// Adds one pixel of a shot, lit by any number of segments.
class PlainShot {
public:
  PlainShot(const pixelrefinement::ShotStream& shot, std::span<const double> x,
            std::size_t unknowns, std::size_t first_lattice, std::size_t b, std::size_t first_size,
            pixelrefinement::Likelihood likelihood, PlainFactors& sums)
      : shot_(shot)
      , unknowns_(unknowns)
      , first_lattice_(first_lattice)
      , b_(b)
      , first_size_(first_size)
      , likelihood_(likelihood)
      , sums_(sums)
      , scores_(shot.segments.size()) {
    for (const auto& s : shot.segments)
      c_.push_back(std::exp(2 * x[std::size_t(s.unknown)] + x[lattice_of(s)] -
                            0.5 * x[b] * double(s.inv_d2) + double(s.by_size) * x[size_of(s)]));
  }

  void add(double value, double background, double readout, std::span<const PlainPart> parts,
           bool left_out) {
    if (likelihood_ == pixelrefinement::Likelihood::Poisson) value = std::max(0.0, value);
    if (likelihood_ == pixelrefinement::Likelihood::NoisyPoisson &&
        readout < pixelrefinement::silent_readout && parts.size() == 1)
      value = std::round(value);
    double m = background;
    for (const PlainPart& part : parts) m += c_[part.segment] * part.kernel;
    const auto fit = pixelrefinement::fit_pixel(likelihood_, value, m, readout);
    if (left_out) {
      sums_.left_out += fit.value;
      return;
    }
    sums_.f += fit.value;
    std::vector<double> dm(sums_.gradient.size());
    for (const PlainPart& part : parts) {
      const auto& s = shot_.segments[part.segment];
      const double light = c_[part.segment] * part.kernel;
      dm[std::size_t(s.unknown)] += 2 * light;
      dm[lattice_of(s)] += light;
      dm[b_] -= 0.5 * double(s.inv_d2) * light;
      dm[size_of(s)] += double(s.by_size) * light;
      scores_[part.segment] += 2 * light * fit.slope;
    }
    add_change(parts, dm, fit);
  }

  void close() {
    for (std::size_t i = 0; i < scores_.size(); ++i)
      sums_.squares[std::size_t(shot_.segments[i].unknown)] += scores_[i] * scores_[i];
  }

private:
  std::size_t lattice_of(const pixelrefinement::StreamSegment& s) const {
    return unknowns_ + first_lattice_ + std::size_t(s.lattice);
  }
  std::size_t size_of(const pixelrefinement::StreamSegment& s) const {
    return first_size_ + std::size_t(s.lattice);
  }
  void add_change(std::span<const PlainPart> parts, const std::vector<double>& dm,
                  const pixelrefinement::PixelFit& fit) {
    std::vector<std::size_t> touched{b_};
    for (const PlainPart& part : parts) {
      touched.push_back(std::size_t(shot_.segments[part.segment].unknown));
      touched.push_back(lattice_of(shot_.segments[part.segment]));
      touched.push_back(size_of(shot_.segments[part.segment]));
    }
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (const std::size_t i : touched) {
      sums_.gradient[i] += fit.slope * dm[i];
      sums_.information[i] += fit.information * dm[i] * dm[i];
    }
  }

  const pixelrefinement::ShotStream& shot_;
  std::size_t unknowns_, first_lattice_, b_, first_size_;
  pixelrefinement::Likelihood likelihood_;
  PlainFactors& sums_;
  std::vector<double> c_, scores_;
};

/// All shots; every value is finite.
inline PlainFactors plain_factors(std::span<const pixelrefinement::ShotStream> shots,
                                  std::size_t unknowns, std::span<const double> x,
                                  pixelrefinement::Likelihood likelihood) {
  PlainFactors sums;
  sums.gradient.resize(x.size()), sums.information.resize(x.size());
  sums.squares.resize(unknowns);
  std::size_t lattice = 0, lattices = 0;
  for (const auto& shot : shots) lattices += std::size_t(shot.lattices);
  for (std::size_t i = 0; i < shots.size(); ++i) {
    const pixelrefinement::ShotStream& shot = shots[i];
    const std::size_t b = unknowns + lattices + i, first_size = unknowns + lattices + shots.size();
    PlainShot plain(shot, x, unknowns, lattice, b, first_size + lattice, likelihood, sums);
    for (std::size_t s = 0; s < shot.segments.size(); ++s)
      for (auto p = std::size_t(shot.segments[s].first);
           p < std::size_t(shot.segments[s].first + shot.segments[s].count); ++p) {
        const PlainPart part{s, double(shot.kernel[p])};
        const double readout = shot.readout.empty()       ? 0
                               : shot.readout.size() == 1 ? double(shot.readout[0])
                                                          : double(shot.readout[p]);
        plain.add(double(shot.value[p]), double(shot.background[p]), readout, std::span(&part, 1),
                  shot.segments[s].left_out);
      }
    for (const pixelrefinement::SharedPixel& pixel : shot.shared) {
      std::vector<PlainPart> parts;
      bool left_out = pixel.left_out;
      for (int j = pixel.first; j < pixel.first + pixel.count; ++j) {
        const auto& part = shot.parts[std::size_t(j)];
        parts.push_back({std::size_t(part.segment), double(part.kernel)});
        left_out = left_out || shot.segments[std::size_t(part.segment)].left_out;
      }
      plain.add(double(pixel.value), double(pixel.background), double(pixel.readout), parts,
                left_out);
    }
    plain.close();
    lattice += std::size_t(shot.lattices);
  }
  return sums;
}

} // namespace kilobragg::testing
