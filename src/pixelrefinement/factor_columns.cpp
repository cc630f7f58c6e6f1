// Copies what counts of every stream, shot after shot, and lists it by unknown.
#include "factor_columns.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace kilobragg::pixelrefinement {
namespace {

bool is_amount(float v) { return std::isfinite(v) && v >= 0; }

bool in_range(std::int64_t first, std::int64_t count, std::size_t size) {
  return first >= 0 && count >= 0 && first + count <= static_cast<std::int64_t>(size);
}

void check(const ShotStream& shot, std::size_t unknowns) {
  const std::size_t pixels = shot.kernel.size();
  core::require(shot.value.size() == pixels && shot.background.size() == pixels &&
                    (shot.readout.size() <= 1 || shot.readout.size() == pixels),
                "columns of a stream differ in length ({} kernels, {} values, {} backgrounds, {} "
                "readouts)",
                pixels, shot.value.size(), shot.background.size(), shot.readout.size());
  for (const StreamSegment& s : shot.segments)
    core::require(s.unknown >= 0 && static_cast<std::size_t>(s.unknown) < unknowns &&
                      s.lattice >= 0 && s.lattice < shot.lattices &&
                      in_range(s.first, s.count, pixels) && is_amount(s.inv_d2),
                  "a segment of a stream does not fit (unknown {} of {}, lattice {} of {}, pixels "
                  "{} + {} of {})",
                  s.unknown, unknowns, s.lattice, shot.lattices, s.first, s.count, pixels);
  for (const SharedPixel& pixel : shot.shared)
    core::require(in_range(pixel.first, pixel.count, shot.parts.size()),
                  "a shared pixel has parts {} + {} of {}", pixel.first, pixel.count,
                  shot.parts.size());
  for (const SharedPart& part : shot.parts)
    core::require(in_range(part.segment, 1, shot.segments.size()),
                  "a part of a shared pixel is of segment {} of {}", part.segment,
                  shot.segments.size());
}

/// The part of -ln p that does not depend on the model, where the fast formulas leave it out.
double constant_of(Likelihood likelihood, float value) {
  return likelihood == Likelihood::Normal    ? 0.9189385332046727 // ln(2 pi) / 2
         : likelihood == Likelihood::Poisson ? std::lgamma(value + 1.0)
                                             : 0;
}

/// Values as fit_pixel takes them.
float counted(Likelihood likelihood, bool quiet, float value) {
  if (quiet) value = std::round(value);
  return likelihood == Likelihood::Poisson ? std::fmax(0.0F, value) : value;
}

/// See Photons.
bool is_of_few_photons(Likelihood likelihood, bool quiet, float value, float background) {
  const float v = counted(likelihood, quiet, value);
  return likelihood == Likelihood::Poisson && v == std::floor(v) && double(v) <= few_photons &&
         background > 0x1p-11F && background < 0x1p11F;
}

/// Adds one shot after the other.
class ColumnWriter {
public:
  ColumnWriter(FactorColumns& columns, Likelihood likelihood, bool readout_of_each)
      : columns_(columns)
      , likelihood_(likelihood)
      , readout_of_each_(readout_of_each) {}

  void add(const ShotStream& shot) {
    const auto segments = static_cast<std::int64_t>(columns_.segments.size());
    columns_.shots.push_back(
        {segments, static_cast<std::int64_t>(columns_.blocks.size()), lattices_});
    columns_.rejected.push_back(0);
    for (const StreamSegment& s : shot.segments) add_segment(shot, s);
    add_shared(shot, segments);
    lattices_ += shot.lattices;
    ++shot_;
  }
  void close() {
    columns_.shots.push_back({static_cast<std::int64_t>(columns_.segments.size()),
                              static_cast<std::int64_t>(columns_.blocks.size()), lattices_});
    // What eight lanes may read beyond the end.
    for (auto* column :
         {&columns_.kernel, &columns_.value, &columns_.background, &columns_.shared_value,
          &columns_.shared_background, &columns_.shared_readout, &columns_.part_kernel})
      column->resize(column->size() + 8);
    columns_.part_segment.resize(columns_.part_segment.size() + 8);
    if (readout_of_each_) columns_.readout.resize(columns_.readout.size() + 8);
  }

private:
  void add_segment(const ShotStream& shot, const StreamSegment& from) {
    FactorSegment s;
    s.first = static_cast<std::int64_t>(columns_.kernel.size());
    s.unknown = from.unknown;
    s.lattice = static_cast<std::int32_t>(lattices_ + from.lattice);
    s.shot = shot_;
    s.inv_d2 = from.inv_d2;
    s.by_size = from.by_size;
    s.left_out = from.left_out;
    s.readout_of_each = shot.readout.size() > 1;
    s.readout = shot.readout.size() == 1 ? shot.readout[0] : 0;
    const bool quiet = s.readout_of_each == 0 && s.readout < silent_readout;
    s.quiet = quiet && likelihood_ == Likelihood::NoisyPoisson;
    const Likelihood used = s.quiet != 0 ? Likelihood::Poisson : likelihood_;
    const auto add_those = [&](bool few) {
      for (auto i = static_cast<std::size_t>(from.first);
           i < static_cast<std::size_t>(from.first + from.count); ++i)
        if (is_of_few_photons(used, s.quiet != 0, shot.value[i], shot.background[i]) == few)
          s.constant += add_pixel(shot, i, s.readout, used, s.quiet != 0);
      return static_cast<std::int32_t>(static_cast<std::int64_t>(columns_.kernel.size()) - s.first);
    };
    s.few = add_those(true);
    s.brightest = s.few == 0
                      ? 0
                      : *std::max_element(columns_.kernel.begin() + s.first, columns_.kernel.end());
    s.count = add_those(false);
    columns_.segments.push_back(s);
  }

  /// Returns its constant; 0 if it is rejected.
  double add_pixel(const ShotStream& shot, std::size_t i, float readout, Likelihood likelihood,
                   bool quiet) {
    if (shot.readout.size() > 1) readout = shot.readout[i];
    if (!std::isfinite(shot.value[i]) || !is_amount(shot.background[i]) ||
        !is_amount(shot.kernel[i]) || !is_amount(readout) ||
        shot.background[i] + shot.kernel[i] <= 0) {
      ++columns_.rejected.back();
      return 0;
    }
    const float value = counted(likelihood, quiet, shot.value[i]);
    columns_.kernel.push_back(shot.kernel[i]);
    columns_.value.push_back(value);
    columns_.background.push_back(shot.background[i]);
    if (readout_of_each_) columns_.readout.push_back(readout);
    return constant_of(likelihood, value);
  }

  struct Shared {
    const SharedPixel* pixel;
    std::span<const SharedPart> parts;
    bool left_out;
    auto kind() const { return std::pair(left_out, parts.size()); }
  };

  /// Those that count, the same kind together.
  std::vector<Shared> sort_shared(const ShotStream& shot) {
    std::vector<Shared> sorted;
    for (const SharedPixel& pixel : shot.shared) {
      const std::span parts(shot.parts.data() + pixel.first, static_cast<std::size_t>(pixel.count));
      if (counts(pixel, parts))
        sorted.push_back({&pixel, parts, is_left_out(shot, pixel, parts)});
      else
        ++columns_.rejected.back();
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Shared& a, const Shared& b) { return a.kind() < b.kind(); });
    return sorted;
  }

  void add_shared(const ShotStream& shot, std::int64_t first_segment) {
    const auto sorted = sort_shared(shot);
    for (std::size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
      while (end < sorted.size() && end - begin < std::size_t{shared_block} &&
             sorted[end].kind() == sorted[begin].kind())
        ++end;
      add_block(std::span(sorted).subspan(begin, end - begin), first_segment);
    }
  }

  void add_block(std::span<const Shared> pixels, std::int64_t first_segment) {
    SharedBlock block;
    block.first = static_cast<std::int64_t>(columns_.shared_value.size());
    block.first_part = static_cast<std::int64_t>(columns_.part_segment.size());
    block.count = static_cast<std::int32_t>(pixels.size());
    block.parts = static_cast<std::int32_t>(pixels[0].parts.size());
    block.shot = shot_;
    block.left_out = pixels[0].left_out;
    for (const Shared& shared : pixels) {
      const float value = counted(likelihood_, false, shared.pixel->value);
      columns_.shared_value.push_back(value);
      columns_.shared_background.push_back(shared.pixel->background);
      columns_.shared_readout.push_back(shared.pixel->readout);
      columns_.block_of.push_back(static_cast<std::int32_t>(columns_.blocks.size()));
      block.constant += constant_of(likelihood_, value);
    }
    for (std::size_t j = 0; j < pixels[0].parts.size(); ++j)
      for (const Shared& shared : pixels) {
        const auto segment = static_cast<std::size_t>(first_segment + shared.parts[j].segment);
        columns_.part_segment.push_back(static_cast<std::int32_t>(segment));
        columns_.part_kernel.push_back(shared.parts[j].kernel);
        ++columns_.segments[segment].parts;
      }
    columns_.blocks.push_back(block);
  }

  static bool is_left_out(const ShotStream& shot, const SharedPixel& pixel,
                          std::span<const SharedPart> parts) {
    return pixel.left_out || std::any_of(parts.begin(), parts.end(), [&](const SharedPart& part) {
             return shot.segments[static_cast<std::size_t>(part.segment)].left_out;
           });
  }

  static bool counts(const SharedPixel& pixel, std::span<const SharedPart> parts) {
    float most = pixel.background;
    for (const SharedPart& part : parts) {
      if (!is_amount(part.kernel)) return false;
      most = std::max(most, part.kernel);
    }
    return std::isfinite(pixel.value) && is_amount(pixel.background) && is_amount(pixel.readout) &&
           most > 0;
  }

  FactorColumns& columns_;
  Likelihood likelihood_;
  bool readout_of_each_;
  std::int32_t shot_ = 0;
  std::int64_t lattices_ = 0;
};

/// Parts once more, by segment, so that each gathers its own.
void list_segment_parts(FactorColumns& columns) {
  std::int64_t first = 0;
  std::vector<std::int64_t> next;
  for (FactorSegment& s : columns.segments) {
    s.first_part = first;
    next.push_back(first);
    first += s.parts;
  }
  columns.pixel_of_part.resize(static_cast<std::size_t>(first) + 8); // as other columns
  columns.kernel_of_part.resize(static_cast<std::size_t>(first) + 8);
  for (const SharedBlock& block : columns.blocks)
    for (std::int64_t pixel = block.first; pixel < block.first + block.count; ++pixel)
      for (int j = 0; j < block.parts; ++j) {
        const auto part = static_cast<std::size_t>(block.part(pixel, j));
        const auto segment = static_cast<std::size_t>(columns.part_segment[part]);
        const auto at = static_cast<std::size_t>(next[segment]++);
        columns.pixel_of_part[at] = static_cast<std::int32_t>(pixel);
        columns.kernel_of_part[at] = columns.part_kernel[part];
      }
}

void list_by_unknown(FactorColumns& columns, std::size_t unknowns) {
  columns.first_segment.assign(unknowns + 1, 0);
  for (const FactorSegment& s : columns.segments)
    ++columns.first_segment[static_cast<std::size_t>(s.unknown) + 1];
  std::partial_sum(columns.first_segment.begin(), columns.first_segment.end(),
                   columns.first_segment.begin());
  std::vector<std::int64_t> next(columns.first_segment.begin(), columns.first_segment.end() - 1);
  columns.by_unknown.resize(columns.segments.size());
  for (std::size_t i = 0; i < columns.segments.size(); ++i) {
    const auto unknown = static_cast<std::size_t>(columns.segments[i].unknown);
    columns.by_unknown[static_cast<std::size_t>(next[unknown]++)] = static_cast<std::int32_t>(i);
  }
}

} // namespace

FactorColumns make_factor_columns(std::span<const ShotStream> shots, std::size_t unknowns,
                                  Likelihood likelihood) {
  FactorColumns columns;
  bool readout_of_each = false;
  std::size_t segments = 0, shared = 0, pixels = 0, parts = 0;
  for (const ShotStream& shot : shots) {
    check(shot, unknowns);
    readout_of_each = readout_of_each || shot.readout.size() > 1;
    segments += shot.segments.size();
    shared += shot.shared.size();
    pixels += shot.kernel.size();
    parts += shot.parts.size();
  }
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  core::require(segments < most && shared < most,
                "{} segments and {} shared pixels on one rank are more than 2^31 use more ranks?",
                segments, shared);
  columns.segments.reserve(segments);
  columns.part_segment.reserve(parts + 8);
  columns.part_kernel.reserve(parts + 8);
  for (auto* column : {&columns.kernel, &columns.value, &columns.background})
    column->reserve(pixels + 8);
  if (readout_of_each) columns.readout.reserve(pixels + 8);
  ColumnWriter writer(columns, likelihood, readout_of_each);
  for (const ShotStream& shot : shots) writer.add(shot);
  writer.close();
  list_segment_parts(columns);
  list_by_unknown(columns, unknowns);
  return columns;
}

} // namespace kilobragg::pixelrefinement
