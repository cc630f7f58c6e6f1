// One pass over all stored pixels: sums of every segment, then of every unknown, lattice and shot.
#pragma once

#include "kernels/diffraction/device_lane.hpp"
#include "kernels/pixelrefinement/pixel_sums.hpp"
#include "kernels/pixelrefinement/two_part_sum.hpp"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace kilobragg::pixelrefinement {

/// A segment as kernels see it; unknown, lattice and shot are numbers among all that are held here.
struct FactorSegment {
  std::int64_t first = 0, first_part = 0; ///< of its own pixels, of its parts of shared pixels
  std::int32_t count = 0, parts = 0;
  std::int32_t few = 0; ///< of its own pixels, the first so many are of few photons: see Photons
  float brightest = 0;  ///< kernel of these
  std::int32_t unknown = 0, lattice = 0, shot = 0;
  float inv_d2 = 0, by_size = 0;
  float readout = 0;                    ///< of all its pixels, if not each has its own
  std::uint8_t left_out = 0, quiet = 0; ///< quiet = counts whole photons, whatever the likelihood
  std::uint8_t readout_of_each = 0;
  double constant = 0; ///< the part of f that does not depend on the model
};

/// Shared pixels of one shot for one row of a launch: all left out or none, each with the same number of
/// parts. Part j of its pixel i stands at first_part + j count + i.
struct SharedBlock {
  std::int64_t first = 0, first_part = 0;
  std::int32_t count = 0, parts = 0, shot = 0;
  std::uint8_t left_out = 0;
  double constant = 0;

  KOKKOS_FUNCTION std::int64_t part(std::int64_t pixel, int number) const {
    return first_part + static_cast<std::int64_t>(number) * count + (pixel - first);
  }
};
inline constexpr int shared_block = 64;

/// What belongs to a shot: ranges of segments, blocks and lattices, from one shot to the next.
struct ShotRange {
  std::int64_t first_segment = 0, first_block = 0, first_lattice = 0;
};

/// Arrays on the device that launches read. Columns of pixels reach eight elements beyond the last.
struct FactorArrays {
  const float *kernel = nullptr, *value = nullptr, *background = nullptr, *readout = nullptr;
  const FactorSegment* segments = nullptr;
  std::int64_t segment_count = 0;
  const float *shared_value = nullptr, *shared_background = nullptr, *shared_readout = nullptr;
  const std::int32_t* block_of = nullptr; ///< [shared pixel]
  const std::int32_t* part_segment = nullptr;
  const float* part_kernel = nullptr;
  const std::int32_t* pixel_of_part = nullptr; ///< by segment
  const float* kernel_of_part = nullptr;
  const SharedBlock* blocks = nullptr;
  std::int64_t block_count = 0;
  const ShotRange* shots = nullptr; ///< one more than shot_count
  std::int64_t shot_count = 0;
  const std::uint8_t* on = nullptr; ///< [shot]; 0 = takes no part
};

/// Arrays on the device that launches fill.
struct FactorRows {
  double* c = nullptr;                   ///< [segment] F^2 exp(g - B inv_d2 / 2 + by_size u)
  double *f = nullptr, *slope = nullptr; ///< [segment]
  double *of_factor = nullptr, *of_scale = nullptr, *of_b = nullptr,
         *of_size = nullptr;                                     ///< [segment] information
  double* block_f = nullptr;                                     ///< [block]
  double *shared_slope = nullptr, *shared_information = nullptr; ///< [shared pixel]
};

/// Threads of a GPU that share a row, and rows of a team.
inline constexpr int row_threads = 32;
inline constexpr int team_rows = std::is_same_v<Device::memory_space, Kokkos::HostSpace> ? 1 : 4;

} // namespace kilobragg::pixelrefinement

template <>
struct Kokkos::reduction_identity<kilobragg::pixelrefinement::StreamSums> {
  KOKKOS_FORCEINLINE_FUNCTION static kilobragg::pixelrefinement::StreamSums sum() { return {}; }
};

namespace kilobragg::pixelrefinement {

template <typename Work>
KOKKOS_FUNCTION inline void run_row(const Work& work, std::int64_t row) {
  if (!work.skips(row)) work.finish(row, work.template part<diffraction::DeviceLane>(row, 0));
}

/// On the host: shot after shot, so that slopes of shared pixels are gathered while they are in cache.
template <typename Shared, typename Segments>
void run_shots(const Shared& shared, const Segments& segments) {
  const FactorArrays in = segments.in;
  Kokkos::parallel_for(
      "pixels of shots", DeviceRange(0, in.shot_count), KOKKOS_LAMBDA(const std::int64_t shot) {
        const ShotRange &begin = in.shots[shot], &end = in.shots[shot + 1];
        for (std::int64_t i = begin.first_block; i < end.first_block; ++i) run_row(shared, i);
        for (std::int64_t i = begin.first_segment; i < end.first_segment; ++i) run_row(segments, i);
      });
}

/// Rows on a GPU: the lanes of a warp take a pixel each and add up what they found in a fixed order.
template <typename Work>
void run_rows_in_teams(const char* name, std::int64_t rows, const Work& work) {
  using Policy = Kokkos::TeamPolicy<Device>;
  const auto teams = static_cast<int>((rows + team_rows - 1) / team_rows);
  Kokkos::parallel_for(
      name, Policy(teams, team_rows, team_rows == 1 ? 1 : row_threads),
      KOKKOS_LAMBDA(const Policy::member_type& team) {
        const std::int64_t row =
            static_cast<std::int64_t>(team.league_rank()) * team_rows + team.team_rank();
        if (row >= rows || work.skips(row)) return;
        StreamSums total;
        Kokkos::parallel_reduce(
            Kokkos::ThreadVectorRange(team, row_threads),
            [&](const int thread, StreamSums& sums) {
              sums += work.template part<double>(row, thread);
            },
            Kokkos::Sum<StreamSums>(total));
        Kokkos::single(Kokkos::PerThread(team), [&]() { work.finish(row, total); });
      });
}

/// Floats in the lanes as doubles.
KOKKOS_FUNCTION inline void load(const float* from, double& to) { to = *from; }
inline void load(const float* from, diffraction::Wide& to) {
#ifdef __AVX512F__ // one instruction, for which some compilers write five
  const __m512d v = _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(from));
  std::memcpy(&to, &v, sizeof to);
#else
  typedef float Narrow __attribute__((vector_size(32)));
  Narrow v;
  std::memcpy(&v, from, sizeof v);
  to = __builtin_convertvector(v, diffraction::Wide);
#endif
}
/// The first `count` lanes.
KOKKOS_FUNCTION inline void store(double v, int, double* to) { *to = v; }
inline void store(const diffraction::Wide& v, int count, double* to) {
  if (count == diffraction::wide_count)
    std::memcpy(to, &v, sizeof v);
  else
    for (int i = 0; i < count; ++i) to[i] = v[i];
}
template <typename T>
KOKKOS_FUNCTION inline T loaded(const float* from) {
  T v;
  load(from, v);
  return v;
}

/// Sums over the pixels of a segment, those that it lights alone and its parts of shared ones.
template <Likelihood likelihood, PixelSum wanted>
struct SegmentWork {
  FactorArrays in;
  FactorRows out;

  KOKKOS_FUNCTION bool skips(std::int64_t row) const {
    const FactorSegment& s = in.segments[row];
    const bool skipped = in.on[s.shot] == 0;
    if (skipped || (wanted == PixelSum::Information && s.left_out != 0)) {
      finish_with(row, {}, {});
      return true;
    }
    return false;
  }

  template <typename T>
  KOKKOS_FUNCTION StreamPixels<T> pixels_at(const FactorSegment& s, std::int64_t at) const {
    StreamPixels<T> p{
        loaded<T>(in.value + at), loaded<T>(in.background + at), loaded<T>(in.kernel + at), {}};
    const T readout = s.readout_of_each != 0 ? loaded<T>(in.readout + at) : constant<T>(s.readout);
    p.variance = readout * readout;
    return p;
  }

  /// Every lane (host) or thread (GPU) takes its pixels, a row of lanes or threads apart.
  template <Likelihood which, typename T>
  KOKKOS_FUNCTION StreamSums sum_pixels(const FactorSegment& s, double c, int start) const {
    if constexpr (which == Likelihood::Poisson && wanted != PixelSum::Information) {
      const int few = c * s.brightest < few_photons_light ? s.few : 0;
      StreamSums sums = sum_range<which, Photons::Few, T>(s, 0, few, c, start);
      return sums += sum_range<which, Photons::Any, T>(s, few, s.count, c, start);
    } else
      return sum_range<which, Photons::Any, T>(s, 0, s.count, c, start);
  }

  /// Pixels begin <= i < end of the segment.
  template <Likelihood which, Photons photons, typename T>
  KOKKOS_FUNCTION StreamSums sum_range(const FactorSegment& s, int begin, int end, double c,
                                       int start) const {
    if (begin == end) return {};
    constexpr int step = lanes < T >> 1 ? lanes<T> : row_threads;
    SegmentFit<which, wanted, T, photons> fit;
    int i = begin + start;
    if constexpr (lanes < T >> 1) { // what fills no group comes first, so that nothing waits for it
      const int some = (end - begin) % lanes<T>;
      if (some > 0) fit.add_some(pixels_at<T>(s, s.first + begin), c, some);
      i = begin + some;
    }
    for (; i + 3 * step < end; i += 4 * step) {
      for (int j = 0; j < 4; ++j) fit.add(pixels_at<T>(s, s.first + i + j * step), c);
      fit.settle();
    }
    for (; i < end; i += step) fit.add(pixels_at<T>(s, s.first + i), c);
    return fit.total();
  }

  template <typename T>
  KOKKOS_FUNCTION StreamSums sum_noisy(const FactorSegment& s, double c, int start) const {
    StreamSums sums;
    for (int i = start; i<s.count; i += lanes<T>> 1 ? 1 : row_threads)
      sums += noisy_sums<wanted>(pixels_at<double>(s, s.first + i), c);
    return sums;
  }

  template <typename T>
  KOKKOS_FUNCTION StreamSums sum_own(const FactorSegment& s, double c, int start) const {
    if constexpr (likelihood == Likelihood::NoisyPoisson)
      return s.quiet != 0 ? sum_pixels<Likelihood::Poisson, T>(s, c, start)
                          : sum_noisy<T>(s, c, start);
    else
      return sum_pixels<likelihood, T>(s, c, start);
  }

  /// Slopes that shared pixels left, times kernels.
  template <typename T>
  KOKKOS_FUNCTION double sum_parts(const FactorSegment& s, int start) const {
    constexpr int step = lanes < T >> 1 ? lanes<T> : row_threads;
    T sum{};
    for (int i = start; i < s.parts; i += step) {
      const std::int64_t at = s.first_part + i;
      double slopes[lanes<T>];
      for (int j = 0; j < lanes<T>; ++j) slopes[j] = out.shared_slope[in.pixel_of_part[at + j]];
      T slope;
      diffraction::fill_lanes(slopes, slope);
      const auto held = diffraction::counted_from<T>(i) < static_cast<double>(s.parts);
      sum = sum + select(held, slope * loaded<T>(in.kernel_of_part + at), constant<T>(0));
    }
    return diffraction::sum_of_lanes(sum);
  }

  template <typename T>
  KOKKOS_FUNCTION StreamSums part(std::int64_t row, int start) const {
    const FactorSegment& s = in.segments[row];
    const double c = out.c[row];
    StreamSums sums = sum_own<T>(s, c, start);
    sums.slope += c * sum_parts<T>(s, start);
    return sums;
  }

  /// Information that shared pixels give: with d m / d ln F = 2 sum of the lights of one unknown, and so
  /// on, cross terms between parts of the same unknown, lattice or shot included.
  struct Information {
    double of_factor = 0, of_scale = 0, of_b = 0, of_size = 0;
  };
  KOKKOS_FUNCTION Information shared_information(const FactorSegment& s, double c) const {
    Information sum;
    for (std::int64_t i = s.first_part; i < s.first_part + s.parts; ++i) {
      const std::int64_t pixel = in.pixel_of_part[i];
      Information lights;
      const SharedBlock& block = in.blocks[in.block_of[pixel]];
      for (int j = 0; j < block.parts; ++j) {
        const std::int64_t part = block.part(pixel, j);
        const std::int32_t other = in.part_segment[part];
        const FactorSegment& o = in.segments[other];
        const double light = out.c[other] * in.part_kernel[part];
        if (o.unknown == s.unknown) lights.of_factor += light;
        if (o.lattice == s.lattice) {
          lights.of_scale += light;
          lights.of_size += o.by_size * light;
        }
        lights.of_b += 0.5 * o.inv_d2 * light;
      }
      const double weight = c * in.kernel_of_part[i] * out.shared_information[pixel];
      sum.of_factor += weight * lights.of_factor;
      sum.of_scale += weight * lights.of_scale;
      sum.of_b += 0.5 * s.inv_d2 * weight * lights.of_b;
      sum.of_size += s.by_size * weight * lights.of_size;
    }
    return sum;
  }

  KOKKOS_FUNCTION void finish(std::int64_t row, StreamSums sums) const {
    const FactorSegment& s = in.segments[row];
    const double c = out.c[row];
    sums.f += s.constant;
    Information information;
    if constexpr (wanted == PixelSum::Information) {
      information = shared_information(s, c);
      const double half = 0.5 * s.inv_d2;
      information.of_factor += sums.information;
      information.of_scale += sums.information;
      information.of_b += half * half * sums.information;
      information.of_size += static_cast<double>(s.by_size) * s.by_size * sums.information;
    }
    finish_with(row, sums, information);
  }

  KOKKOS_FUNCTION void finish_with(std::int64_t row, const StreamSums& sums,
                                   const Information& information) const {
    if constexpr (wanted != PixelSum::Information) out.f[row] = sums.f;
    out.slope[row] = in.segments[row].left_out != 0 ? 0 : sums.slope;
    if constexpr (wanted == PixelSum::Information) {
      out.of_factor[row] = information.of_factor;
      out.of_scale[row] = information.of_scale;
      out.of_b[row] = information.of_b;
      out.of_size[row] = information.of_size;
    }
  }
};

/// Shared pixels: each gathers the light of its parts, and leaves its slope for them to gather.
template <Likelihood likelihood, PixelSum wanted>
struct SharedWork {
  FactorArrays in;
  FactorRows out;

  KOKKOS_FUNCTION bool skips(std::int64_t row) const {
    const SharedBlock& block = in.blocks[row];
    if (in.on[block.shot] != 0) return false;
    finish_with(row, {});
    return true;
  }

  /// Lanes beyond the block hold nothing of use.
  template <typename T>
  KOKKOS_FUNCTION T model_of(const SharedBlock& block, std::int64_t at) const {
    T m = loaded<T>(in.shared_background + at);
    for (int j = 0; j < block.parts; ++j) {
      const std::int64_t part = block.part(at, j);
      double factors[lanes<T>];
      for (int i = 0; i < lanes<T>; ++i) factors[i] = out.c[in.part_segment[part + i]];
      T c;
      diffraction::fill_lanes(factors, c);
      m = m + c * loaded<T>(in.part_kernel + part);
    }
    return m;
  }

  template <typename T>
  KOKKOS_FUNCTION StreamSums add_pixels(const SharedBlock& block, std::int64_t at,
                                        int count) const {
    const auto held = diffraction::counted_from<T>(0) < static_cast<double>(count);
    const T m = select(held, model_of<T>(block, at), constant<T>(1));
    const T d = select(held, loaded<T>(in.shared_value + at), constant<T>(1));
    const T readout = loaded<T>(in.shared_readout + at);
    const T variance = select(held, readout * readout, constant<T>(0));
    const SharedFit<T> fit = fit_shared<likelihood, T>(d, m, variance);
    // Without light and background the wide logarithm would give a number all the same.
    const T f = select(held, select(m > 0.0, fit.f, constant<T>(NAN)), constant<T>(0));
    const double weight = block.left_out != 0 ? 0 : 1;
    store(weight * fit.slope, count, out.shared_slope + at);
    if constexpr (wanted == PixelSum::Information)
      store(weight * fit.information, count, out.shared_information + at);
    return {diffraction::sum_of_lanes(f), 0, 0};
  }

  template <typename T>
  KOKKOS_FUNCTION StreamSums part(std::int64_t row, int start) const {
    constexpr int step = lanes < T >> 1 ? lanes<T> : row_threads;
    const SharedBlock& block = in.blocks[row];
    StreamSums sums;
    for (int i = start; i < block.count; i += step)
      sums += add_pixels<T>(block, block.first + i,
                            block.count - i < lanes<T> ? block.count - i : lanes<T>);
    return sums;
  }

  KOKKOS_FUNCTION void finish(std::int64_t row, StreamSums sums) const {
    sums.f += in.blocks[row].constant;
    finish_with(row, sums);
  }
  KOKKOS_FUNCTION void finish_with(std::int64_t row, const StreamSums& sums) const {
    if constexpr (wanted != PixelSum::Information) out.block_f[row] = sums.f;
  }
};

/// All sums of segments and blocks; out.c is set.
template <Likelihood likelihood, PixelSum wanted>
void stream_pixels(const FactorArrays& in, const FactorRows& out) {
  const SharedWork<likelihood, wanted> shared{in, out};
  const SegmentWork<likelihood, wanted> segments{in, out};
  if constexpr (on_host) {
    run_shots(shared, segments);
  } else {
    run_rows_in_teams("shared pixels", in.block_count, shared);
    run_rows_in_teams("pixels of segments", in.segment_count, segments);
  }
}

/// Where the variables are: ln F of every unknown, g of every lattice, B of every shot, u of every lattice.
struct FactorVariables {
  const double *log_f = nullptr, *scale = nullptr, *b = nullptr, *size = nullptr;
};

/// c of every segment; infinite beyond e^600, where no amplitude is.
inline void set_factors(const FactorArrays& in, const FactorVariables& x, double* c) {
  using T = diffraction::DeviceLane;
  const std::int64_t groups = (in.segment_count + lanes<T> - 1) / lanes<T>;
  Kokkos::parallel_for(
      "factors of segments", DeviceRange(0, groups), KOKKOS_LAMBDA(const std::int64_t group) {
        const std::int64_t first = group * lanes<T>, left = in.segment_count - first;
        const int count = left < lanes<T> ? int(left) : lanes<T>;
        double exponents[lanes<T>] = {};
        for (int i = 0; i < count; ++i) {
          const FactorSegment& s = in.segments[first + i];
          exponents[i] = 2 * x.log_f[s.unknown] + x.scale[s.lattice] -
                         0.5 * s.inv_d2 * x.b[s.shot] + s.by_size * x.size[s.lattice];
        }
        T exponent;
        diffraction::fill_lanes(exponents, exponent);
        const T e = select(exponent < 600.0, diffraction::exp_of(exponent), constant<T>(INFINITY));
        store(e, count, c + first);
      });
}

/// Segments by unknown: of unknown u they are number[first[u]] to number[first[u + 1] - 1].
struct SegmentsOfUnknowns {
  const std::int64_t* first = nullptr;
  const std::int32_t* number = nullptr;
  std::int64_t unknowns = 0;
};

/// Adds factor * of_segment, or its square, over the segments of each unknown.
inline void sum_unknowns(const SegmentsOfUnknowns& segments, const double* of_segment,
                         double factor, bool squared, const SumRange& range, TwoPartSum* sums) {
  Kokkos::parallel_for(
      "sums of unknowns", DeviceRange(0, segments.unknowns), KOKKOS_LAMBDA(const std::int64_t u) {
        TwoPartSum sum;
        for (std::int64_t i = segments.first[u]; i < segments.first[u + 1]; ++i) {
          const double v = factor * of_segment[segments.number[i]];
          sum.add(squared ? v * v : v, range);
        }
        sums[u] = sum;
      });
}

struct ShotSum {
  TwoPartSum f, left_out;
  std::int64_t bad =
      0; ///< segments and blocks that are not finite or too large; they are not added
};

/// The likelihood of every shot; slopes must lie in range, too.
struct ShotSumWork {
  FactorArrays in;
  FactorRows rows;
  SumRange range;
  double largest_slope;
  ShotSum* sums;

  KOKKOS_FUNCTION void operator()(std::int64_t shot) const {
    ShotSum sum;
    for (std::int64_t i = in.shots[shot].first_segment; i < in.shots[shot + 1].first_segment; ++i) {
      const bool left_out = in.segments[i].left_out != 0;
      const bool steep = !(std::fabs(rows.slope[i]) <= largest_slope);
      add(sum, rows.f[i], left_out, steep);
    }
    for (std::int64_t i = in.shots[shot].first_block; i < in.shots[shot + 1].first_block; ++i)
      add(sum, rows.block_f[i], in.blocks[i].left_out != 0, false);
    sums[shot] = sum;
  }
  KOKKOS_FUNCTION void add(ShotSum& sum, double f, bool left_out, bool steep) const {
    const bool added = !steep && (left_out ? sum.left_out : sum.f).add(f, range);
    if (!added) ++sum.bad;
  }
};
inline void sum_shots(const ShotSumWork& work) {
  Kokkos::parallel_for("sums of shots", DeviceRange(0, work.in.shot_count), work);
}

/// Of every segment, or the same summed over those of each lattice (scale, size) and shot (b).
template <typename T>
struct ShotVariables {
  T *scale = nullptr, *b = nullptr, *size = nullptr;
};

/// Adds over the segments of each shot, in their order; with `weigh` b times -inv_d2 / 2 and size times
/// by_size, as in gradients.
inline void sum_scales(const FactorArrays& in, const ShotVariables<const double>& of_segment,
                       bool weigh, const ShotVariables<double>& sums) {
  Kokkos::parallel_for(
      "sums of scales", DeviceRange(0, in.shot_count), KOKKOS_LAMBDA(const std::int64_t shot) {
        for (std::int64_t l = in.shots[shot].first_lattice; l < in.shots[shot + 1].first_lattice;
             ++l)
          sums.scale[l] = sums.size[l] = 0;
        double sum = 0;
        for (std::int64_t i = in.shots[shot].first_segment; i < in.shots[shot + 1].first_segment;
             ++i) {
          const FactorSegment& s = in.segments[i];
          sums.scale[s.lattice] += of_segment.scale[i];
          sums.size[s.lattice] += (weigh ? s.by_size : 1.0) * of_segment.size[i];
          sum += (weigh ? -0.5 * s.inv_d2 : 1.0) * of_segment.b[i];
        }
        sums.b[shot] = sum;
      });
}

} // namespace kilobragg::pixelrefinement
