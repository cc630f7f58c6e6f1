// States and progress as bytes, and the options that a later run must not change.
#include "pixel_state.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/core/record_log.hpp"

#include <set>

namespace kilobragg::programs {
namespace {

using core::ByteReader;
using core::ByteWriter;

constexpr std::uint32_t state_version = 2, state_record = 110;

template <typename T>
void put_values(ByteWriter& out, const std::vector<T>& values) {
  out.put_text({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

template <typename T>
std::vector<T> get_values(ByteReader& in) {
  const std::string bytes = in.get_text();
  std::vector<T> values(bytes.size() / sizeof(T));
  core::require(values.size() * sizeof(T) == bytes.size(), "{} bytes are no column", bytes.size());
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// Calls visit(member) for all but the text.
template <typename Figures, typename Visit>
void for_each_figure(Figures& f, const Visit& visit) {
  visit(f.cycle), visit(f.shots), visit(f.refined), visit(f.boxes), visit(f.pixels);
  visit(f.outliers), visit(f.evaluations), visit(f.sigma_z), visit(f.iterations), visit(f.f);
  visit(f.left_out), visit(f.moved);
}

std::string pack(const PixelState& state) {
  ByteWriter out;
  out.put(state_version);
  out.put_text(state.options);
  out.put_text(state.problem);
  out.put(state.serial);
  out.put(state.cycle);
  out.put(state.step);
  for (const auto* column : {&state.f, &state.sigma, &state.mean}) put_values(out, *column);
  put_values(out, state.measured);
  out.put(static_cast<std::uint64_t>(state.cycles.size()));
  for (const CycleFigures& cycle : state.cycles) {
    for_each_figure(cycle, [&](const auto& value) { out.put(value); });
    out.put_text(cycle.end);
  }
  return out.take();
}

PixelState unpack(std::string_view bytes) {
  ByteReader in(bytes);
  const auto version = in.get<std::uint32_t>();
  core::require(version == state_version, "it is of version {} (known is {})", version,
                state_version);
  PixelState state;
  state.options = in.get_text();
  state.problem = in.get_text();
  state.serial = in.get<int>();
  state.cycle = in.get<int>();
  state.step = in.get<PixelStep>();
  for (auto* column : {&state.f, &state.sigma, &state.mean}) *column = get_values<double>(in);
  state.measured = get_values<std::uint8_t>(in);
  for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
    CycleFigures& cycle = state.cycles.emplace_back();
    for_each_figure(
        cycle, [&](auto& value) { value = in.get<std::remove_reference_t<decltype(value)>>(); });
    cycle.end = in.get_text();
  }
  return state;
}

/// Where inputs lie, what is written and how a run is run: results do not depend on them.
bool leaves_results_alone(const std::string& path) {
  for (const char* scope : {"input.", "output.", "statistics."})
    if (path.rfind(scope, 0) == 0) return true;
  static const std::set<std::string> names = {"pixels.resume", "pixels.stage2.checkpoint_every",
                                              "pixels.start.mtz_file",
                                              "pixels.stage1.shots_per_launch"};
  return names.count(path) != 0;
}

} // namespace

void write_pixel_state(const PixelState& state, const std::string& path) {
  const std::string bytes = pack(state);
  core::AtomicRecordLog log(path);
  log.append(state_record, std::as_bytes(std::span(bytes.data(), bytes.size())));
  log.commit();
}

PixelState read_pixel_state(const std::string& path) {
  std::string bytes;
  const auto summary = core::scan_record_log(path, [&](const core::Record& record) {
    if (record.type == state_record)
      bytes.assign(reinterpret_cast<const char*>(record.payload.data()), record.payload.size());
  });
  core::require(!summary.torn() && !bytes.empty(),
                "'{}' is damaged; remove it to begin anew, or run without --resume", path);
  try {
    return unpack(bytes);
  } catch (const core::Error& error) {
    core::fail("'{}' is no state of a refinement ({}) run without --resume to begin anew?", path,
               error.what());
  }
}

std::string digest_of(const PixelState& state) { return core::md5_hex(pack(state)); }

std::string options_that_matter(const std::string& phil) {
  MergeOptions options;
  core::OptionSet set;
  declare(set, options);
  set.parse_phil(phil, "the options of this run");
  std::string text;
  for (const auto& option : set.options())
    if (!leaves_results_alone(option.path)) text += option.path + " = " + option.show() + '\n';
  return text;
}

std::vector<std::string> differing_merge_options(const std::string& now,
                                                 const std::string& before) {
  MergeOptions mine, theirs;
  core::OptionSet set, old;
  declare(set, mine);
  declare(old, theirs);
  set.parse_phil(now, "the options of this run");
  old.parse_phil(before, "the options of the run before");
  return set.differing_from(old, leaves_results_alone);
}

std::string pack_progress(const ShotProgress& progress,
                          const pixelrefinement::Stage1Result& result) {
  ByteWriter out;
  out.put(progress);
  out.put(result.f);
  out.put(result.sigma_z);
  out.put(result.sigma_z_known);
  out.put(static_cast<std::uint64_t>(result.pixels));
  out.put(static_cast<std::uint64_t>(result.boxes));
  out.put(static_cast<std::uint64_t>(result.outliers));
  out.put(result.evaluations);
  out.put(static_cast<std::uint64_t>(result.parameters.size()));
  for (const auto& parameter : result.parameters) {
    out.put_text(parameter.name);
    out.put(parameter.value);
    out.put(parameter.sigma);
  }
  return out.take();
}

ShotProgress take_progress(std::string_view bytes, pixelrefinement::Stage1Result& result) {
  ByteReader in(bytes);
  const auto progress = in.get<ShotProgress>();
  result.f = in.get<double>();
  result.sigma_z = in.get<double>();
  result.sigma_z_known = in.get<double>();
  for (std::size_t* count : {&result.pixels, &result.boxes, &result.outliers})
    *count = static_cast<std::size_t>(in.get<std::uint64_t>());
  result.evaluations = in.get<int>();
  for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
    auto& parameter = result.parameters.emplace_back();
    parameter.name = in.get_text();
    parameter.value = in.get<double>();
    parameter.sigma = in.get<double>();
  }
  return progress;
}

} // namespace kilobragg::programs
