// Launches over what is held here, and the one message that adds the ranks up.
#include "kilobragg/pixelrefinement/factor_target.hpp"

#include "factor_columns.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::pixelrefinement {
namespace {

/// The columns on the device.
struct DeviceColumns {
  DeviceArray<FactorSegment> segments;
  DeviceArray<float> kernel, value, background, readout;
  DeviceArray<float> shared_value, shared_background, shared_readout, part_kernel, kernel_of_part;
  DeviceArray<std::int64_t> first_segment;
  DeviceArray<SharedBlock> blocks;
  DeviceArray<ShotRange> shots;
  DeviceArray<std::int32_t> by_unknown, block_of, part_segment, pixel_of_part;

  explicit DeviceColumns(const FactorColumns& c)
      : segments(to_device(c.segments))
      , kernel(to_device(c.kernel))
      , value(to_device(c.value))
      , background(to_device(c.background))
      , readout(to_device(c.readout))
      , shared_value(to_device(c.shared_value))
      , shared_background(to_device(c.shared_background))
      , shared_readout(to_device(c.shared_readout))
      , part_kernel(to_device(c.part_kernel))
      , kernel_of_part(to_device(c.kernel_of_part))
      , first_segment(to_device(c.first_segment))
      , blocks(to_device(c.blocks))
      , shots(to_device(c.shots))
      , by_unknown(to_device(c.by_unknown))
      , block_of(to_device(c.block_of))
      , part_segment(to_device(c.part_segment))
      , pixel_of_part(to_device(c.pixel_of_part)) {}

  FactorArrays arrays() const {
    FactorArrays in;
    in.kernel = kernel.data(), in.value = value.data(), in.background = background.data();
    in.readout = readout.data();
    in.segments = segments.data();
    in.segment_count = static_cast<std::int64_t>(segments.extent(0));
    in.shared_value = shared_value.data(), in.shared_background = shared_background.data();
    in.shared_readout = shared_readout.data();
    in.block_of = block_of.data();
    in.part_segment = part_segment.data();
    in.part_kernel = part_kernel.data();
    in.pixel_of_part = pixel_of_part.data();
    in.kernel_of_part = kernel_of_part.data();
    in.blocks = blocks.data();
    in.block_count = static_cast<std::int64_t>(blocks.extent(0));
    in.shots = shots.data();
    in.shot_count = static_cast<std::int64_t>(shots.extent(0)) - 1;
    return in;
  }
};

/// What launches fill. Information has arrays of its own only once it is asked for.
struct DeviceRows {
  DeviceArray<double> c, f, slope, of_factor, of_scale, of_b, of_size;
  DeviceArray<double> block_f, shared_slope, shared_information;

  FactorRows prepare(const DeviceColumns& columns, PixelSum wanted) {
    const std::size_t segments = columns.segments.extent(0), blocks = columns.blocks.extent(0),
                      shared = columns.block_of.extent(0);
    for (auto* array : {&c, &f, &slope}) grow(*array, segments);
    grow(block_f, blocks);
    grow(shared_slope, shared);
    if (wanted == PixelSum::Information) {
      for (auto* array : {&of_factor, &of_scale, &of_b, &of_size}) grow(*array, segments);
      grow(shared_information, shared);
    }
    return {c.data(),
            f.data(),
            slope.data(),
            of_factor.data(),
            of_scale.data(),
            of_b.data(),
            of_size.data(),
            block_f.data(),
            shared_slope.data(),
            shared_information.data()};
  }
};

template <PixelSum wanted>
void stream(Likelihood likelihood, const FactorArrays& in, const FactorRows& out) {
  const auto launch = likelihood == Likelihood::Normal ? stream_pixels<Likelihood::Normal, wanted>
                      : likelihood == Likelihood::Poisson
                          ? stream_pixels<Likelihood::Poisson, wanted>
                          : stream_pixels<Likelihood::NoisyPoisson, wanted>;
  launch(in, out);
}

/// Copies `from` into an array that stays where it is.
template <typename T>
void refill(DeviceArray<T>& array, std::span<const T> from) {
  grow(array, from.size());
  if (from.empty()) return;
  using Host = Kokkos::View<const T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  Kokkos::deep_copy(Kokkos::subview(array, std::make_pair(std::size_t(0), from.size())),
                    Host(from.data(), from.size()));
}

template <typename T>
std::vector<T> fetch(const DeviceArray<T>& array, std::size_t size) {
  std::vector<T> host(size);
  if (size > 0) to_host(array, std::span(host));
  return host;
}

/// Pixels and segments, as they are added up over ranks.
struct PixelCounts {
  std::int64_t pixels = 0, left_out = 0;
  std::vector<std::int64_t> segments_of,
      pixels_of; ///< of each unknown, local until they are summed
};

} // namespace

double FactorValue::above(const FactorValue& start) const {
  return std::isfinite(f) ? sum.minus(start.sum).value(range) : f;
}

struct FactorTarget::State {
  parallel::Communicator communicator;
  FactorTargetParams params;
  std::size_t unknowns, lattices, shots;
  FactorColumns host; ///< without pixels
  DeviceColumns columns;
  DeviceRows rows;
  DeviceArray<double> x, scale_sums, b_sums, size_sums;
  DeviceArray<TwoPartSum> unknown_sums;
  DeviceArray<ShotSum> shot_sums;
  DeviceArray<std::uint8_t> on_device;
  std::vector<std::uint8_t> on; ///< of each shot
  PixelCounts counts;
  SumRange f_range, unknown_range;
  std::vector<std::size_t> bad;

  State(const parallel::Communicator& c, FactorColumns made, std::size_t unknown_count,
        const FactorTargetParams& p)
      : communicator(c)
      , params(p)
      , unknowns(unknown_count)
      , lattices(static_cast<std::size_t>(made.shots.back().first_lattice))
      , shots(made.shots.size() - 1)
      , host(std::move(made))
      , columns(host)
      , on(shots, 1) {
    for (auto* column : {&host.kernel, &host.value, &host.background, &host.readout})
      *column = {}; // the copies for kernels are enough
    count_pixels();
    f_range = sum_range(communicator.all_sum(addends()));
    std::int64_t most = 1;
    for (const std::int64_t n : counts.segments_of) most = std::max(most, n);
    unknown_range = sum_range(most);
  }

  std::int64_t addends() const {
    return static_cast<std::int64_t>(host.segments.size() + host.blocks.size());
  }
  std::size_t size() const { return unknowns + 2 * lattices + shots; }

  void count_pixels();
  FactorArrays prepare(std::span<const double> at);
  ShotSumWork shot_work(const FactorArrays& in, const FactorRows& out);
  void sum_over_shots(const FactorArrays& in, const ShotVariables<const double>& of_segment,
                      bool weigh, std::span<double> variables);
  std::vector<TwoPartSum> sum_over_segments(const double* of_segment, double factor, bool squared);
  std::vector<double> sum_of_ranks(const std::vector<TwoPartSum>& local) const;
};

/// Collective.
void FactorTarget::State::count_pixels() {
  counts = {0, 0, std::vector<std::int64_t>(unknowns), std::vector<std::int64_t>(unknowns)};
  const auto is_on = [this](std::int32_t shot) { return on[static_cast<std::size_t>(shot)] != 0; };
  for (const FactorSegment& s : host.segments) {
    if (!is_on(s.shot)) continue;
    (s.left_out != 0 ? counts.left_out : counts.pixels) += s.count;
    if (s.left_out != 0 || s.count + s.parts == 0) continue;
    ++counts.segments_of[static_cast<std::size_t>(s.unknown)];
    counts.pixels_of[static_cast<std::size_t>(s.unknown)] += s.count;
  }
  for (const SharedBlock& block : host.blocks) {
    if (!is_on(block.shot)) continue;
    (block.left_out != 0 ? counts.left_out : counts.pixels) += block.count;
    if (block.left_out != 0) continue;
    for (std::int64_t i = block.first_part; i < block.first_part + block.count * block.parts; ++i) {
      const auto segment = static_cast<std::size_t>(host.part_segment[static_cast<std::size_t>(i)]);
      ++counts.pixels_of[static_cast<std::size_t>(host.segments[segment].unknown)];
    }
  }
  communicator.all_sum(std::span(counts.segments_of));
  communicator.all_sum(std::span(counts.pixels_of));
}

/// Sets c of all segments.
FactorArrays FactorTarget::State::prepare(std::span<const double> at) {
  core::require(at.size() == size(), "{} variables where there are {}", at.size(), size());
  refill(x, at);
  FactorArrays in = columns.arrays();
  refill(on_device, std::span<const std::uint8_t>(on));
  in.on = on_device.data();
  rows.prepare(columns, PixelSum::Fit);
  const double *scale = x.data() + unknowns, *b = scale + lattices, *change = b + shots;
  set_factors(in, {x.data(), scale, b, change}, rows.c.data());
  return in;
}

ShotSumWork FactorTarget::State::shot_work(const FactorArrays& in, const FactorRows& out) {
  grow(shot_sums, shots);
  return {in, out, f_range, 0.5 * unknown_range.largest, shot_sums.data()};
}

void FactorTarget::State::sum_over_shots(const FactorArrays& in,
                                         const ShotVariables<const double>& of_segment, bool weigh,
                                         std::span<double> variables) {
  grow(scale_sums, lattices);
  grow(b_sums, shots);
  grow(size_sums, lattices);
  sum_scales(in, of_segment, weigh, {scale_sums.data(), b_sums.data(), size_sums.data()});
  const auto scale = variables.subspan(unknowns, lattices),
             b = variables.subspan(unknowns + lattices, shots),
             change = variables.subspan(unknowns + lattices + shots, lattices);
  if (params.scale_free && lattices > 0) to_host(scale_sums, scale);
  if (params.b_free && shots > 0) to_host(b_sums, b);
  if (params.size_free && lattices > 0) to_host(size_sums, change);
}

std::vector<TwoPartSum> FactorTarget::State::sum_over_segments(const double* of_segment,
                                                               double factor, bool squared) {
  grow(unknown_sums, unknowns);
  sum_unknowns({columns.first_segment.data(), columns.by_unknown.data(),
                static_cast<std::int64_t>(unknowns)},
               of_segment, factor, squared, unknown_range, unknown_sums.data());
  return fetch(unknown_sums, unknowns);
}

std::vector<double> FactorTarget::State::sum_of_ranks(const std::vector<TwoPartSum>& local) const {
  std::vector<std::int64_t> message;
  for (const TwoPartSum& sum : local) message.insert(message.end(), {sum.whole, sum.fraction});
  communicator.all_sum(std::span(message));
  std::vector<double> values(local.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = TwoPartSum{message[2 * i], message[2 * i + 1]}.value(unknown_range);
  return values;
}

FactorTarget::FactorTarget(const parallel::Communicator& communicator,
                           std::span<const ShotStream> shots, std::size_t unknowns,
                           const FactorTargetParams& params)
    : state_(std::make_unique<State>(communicator,
                                     make_factor_columns(shots, unknowns, params.likelihood),
                                     unknowns, params)) {}
FactorTarget::~FactorTarget() = default;
FactorTarget::FactorTarget(FactorTarget&&) noexcept = default;

std::size_t FactorTarget::variables() const { return state_->size(); }
std::size_t FactorTarget::unknowns() const { return state_->unknowns; }
std::size_t FactorTarget::shots() const { return state_->shots; }
std::size_t FactorTarget::scale_of(std::size_t shot, std::size_t lattice) const {
  return state_->unknowns + static_cast<std::size_t>(state_->host.shots[shot].first_lattice) +
         lattice;
}
std::size_t FactorTarget::b_of(std::size_t shot) const {
  return state_->unknowns + state_->lattices + shot;
}
std::size_t FactorTarget::size_of(std::size_t shot, std::size_t lattice) const {
  return scale_of(shot, lattice) + state_->lattices + state_->shots;
}
const std::vector<std::int64_t>& FactorTarget::rejected() const { return state_->host.rejected; }
const std::vector<std::size_t>& FactorTarget::bad_shots() const { return state_->bad; }

void FactorTarget::switch_shots(std::span<const std::uint8_t> on) {
  core::require(on.size() == state_->shots, "{} switches for {} shots", on.size(), state_->shots);
  state_->on.assign(on.begin(), on.end());
  state_->count_pixels();
}

FactorValue FactorTarget::evaluate(std::span<const double> x) {
  State& s = *state_;
  const FactorArrays in = s.prepare(x);
  const FactorRows out = s.rows.prepare(s.columns, PixelSum::Fit);
  stream<PixelSum::Fit>(s.params.likelihood, in, out);
  sum_shots(s.shot_work(in, out));

  FactorValue result;
  result.range = s.f_range;
  TwoPartSum left_out;
  s.bad.clear();
  const auto shot_sums = fetch(s.shot_sums, s.shots);
  for (std::size_t i = 0; i < shot_sums.size(); ++i) {
    result.sum.add(shot_sums[i].f);
    left_out.add(shot_sums[i].left_out);
    result.bad += shot_sums[i].bad;
    if (shot_sums[i].bad > 0) s.bad.push_back(i);
  }
  std::vector<std::int64_t> message{result.sum.whole,  result.sum.fraction, left_out.whole,
                                    left_out.fraction, result.bad,          s.counts.pixels,
                                    s.counts.left_out};
  const std::size_t head = message.size();
  for (const TwoPartSum& sum : s.sum_over_segments(out.slope, 2, false))
    message.insert(message.end(), {sum.whole, sum.fraction});
  s.communicator.all_sum(std::span(message));

  result.sum = {message[0], message[1]};
  result.left_out = TwoPartSum{message[2], message[3]}.value(s.f_range);
  result.bad = message[4];
  result.pixels = message[5];
  result.left_out_pixels = message[6];
  result.gradient.assign(s.size(), 0);
  if (result.bad > 0) {
    result.f = std::numeric_limits<double>::infinity();
    return result;
  }
  result.f = result.sum.value(s.f_range);
  for (std::size_t i = 0; i < s.unknowns; ++i)
    result.gradient[i] =
        TwoPartSum{message[head + 2 * i], message[head + 2 * i + 1]}.value(s.unknown_range);
  s.sum_over_shots(in, {out.slope, out.slope, out.slope}, true, result.gradient);
  return result;
}

std::vector<double> FactorTarget::information(std::span<const double> x) {
  State& s = *state_;
  const FactorArrays in = s.prepare(x);
  const FactorRows out = s.rows.prepare(s.columns, PixelSum::Information);
  stream<PixelSum::Information>(s.params.likelihood, in, out);
  std::vector<double> result = s.sum_of_ranks(s.sum_over_segments(out.of_factor, 4, false));
  result.resize(s.size());
  s.sum_over_shots(in, {out.of_scale, out.of_b, out.of_size}, false, result);
  return result;
}

FactorScores FactorTarget::scores(std::span<const double> x) {
  State& s = *state_;
  const FactorArrays in = s.prepare(x);
  const FactorRows out = s.rows.prepare(s.columns, PixelSum::Information);
  stream<PixelSum::Information>(s.params.likelihood, in, out);
  return {s.sum_of_ranks(s.sum_over_segments(out.slope, 2, true)), s.counts.segments_of,
          s.counts.pixels_of};
}

} // namespace kilobragg::pixelrefinement
