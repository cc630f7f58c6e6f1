// Texts, figures and pictures of shots, packed, gathered and put in order.
#include "pixel_parts.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"
#include "kilobragg/pixelrefinement/shot_table.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {
namespace {

using namespace pixelrefinement;
using parallel::Communicator;

ShotFit fit_of(const PixelResults& r, std::size_t i) {
  ShotFit fit;
  fit.boxes = std::count_if(r.shots[i].pixels.boxes.begin(), r.shots[i].pixels.boxes.end(),
                            [](const ReflectionBox& b) { return is_good(b.state); });
  if (r.results[i].pixels == 0) return fit;
  fit.sigma_z = r.results[i].sigma_z_known;
  fit.pixels = static_cast<std::int64_t>(r.results[i].pixels);
  fit.evaluations = r.results[i].evaluations;
  fit.f = r.results[i].f;
  return fit;
}

/// "identifier,parameter,value,sigma" of each parameter that stage 1 refined.
std::string error_rows(const PixelResults& r, std::size_t i) {
  std::string rows;
  for (const RefinedParameter& p : r.results[i].parameters)
    rows += fmt::format("{},{},{},{}\r\n", r.shots[i].model.identifier, p.name, p.value, p.sigma);
  return rows;
}

/// Pictures of the brightest, a middling and a weak box of a shot.
void add_boxes(const ShotRecord& shot, const std::vector<double>& bragg, ShotParts& parts) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t b = 0; b < shot.pixels.boxes.size(); ++b) {
    const ReflectionBox& box = shot.pixels.boxes[b];
    if (box.state != BoxState::Used) continue;
    double sum = 0;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) sum += bragg[i];
    order.emplace_back(-sum, b);
  }
  std::sort(order.begin(), order.end());
  for (const double part : {0.0, 0.3, 0.7}) {
    if (order.empty()) return;
    const auto at = static_cast<std::size_t>(part * double(order.size()));
    const ReflectionBox& box = shot.pixels.boxes[order[at].second];
    report::BoxShown shown;
    shown.caption = fmt::format("{} {} {}, {}, {:.0f} photons", box.hkl.h, box.hkl.k, box.hkl.l,
                                shot.model.source.tag(), -order[at].first);
    shown.width = box.box.x1 - box.box.x0;
    shown.height = box.box.y1 - box.box.y0;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      const bool used = shot.pixels.used[i] != 0;
      shown.data.push_back(used ? shot.pixels.value[i] : std::nanf(""));
      shown.model.push_back(static_cast<float>(double(shot.pixels.background[i]) + bragg[i]));
      shown.z.push_back(used ? static_cast<float>(shot.pixels.z(i, bragg[i])) : std::nanf(""));
    }
    parts.boxes.emplace_back(fmt::format("{} {}", shot.model.identifier, part), std::move(shown));
  }
}

void add_pixels(const ShotRecord& shot, const std::vector<double>& bragg, ShotParts& parts) {
  for (const ReflectionBox& box : shot.pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      if (shot.pixels.used[i] != 0) parts.pixel_z.add(shot.pixels.z(i, bragg[i]));
    }
  }
}

ShotParts empty_parts() {
  constexpr double edge = 8; // of the histogram of pixels
  ShotParts parts;
  parts.pixel_z = {.lo = -edge, .hi = edge, .counts = std::vector<std::int64_t>(64)};
  return parts;
}

ShotParts parts_of(const PixelResults& r, std::size_t wanted) {
  ShotParts parts = empty_parts();
  Stage1Params exact = r.stage1;
  exact.target.free_intensities = false;
  const bool shown = !r.refinement.iterations.empty();
  for (std::size_t i = 0; i < r.shots.size(); ++i) {
    const ShotRecord& shot = r.shots[i];
    const ShotFit fit = fit_of(r, i);
    parts.rows.push_back(shot_table_rows(shot.model, fit));
    parts.errors.push_back(error_rows(r, i));
    ++parts.states[word_of(shot.model.state)];
    if (!is_refined(shot.model)) continue;
    if (std::isfinite(fit.sigma_z)) parts.sigma_z.push_back(fit.sigma_z);
    if (!shown) continue;
    const ShotImage image = model_image(shot.model, shot.pixels, r.all.table, r.sphere, exact);
    add_pixels(shot, image.bragg, parts);
    if (parts.boxes.size() < wanted) add_boxes(shot, image.bragg, parts);
  }
  return parts;
}

std::string packed(const report::BoxShown& box) {
  core::ByteWriter writer;
  writer.put_text(box.caption);
  writer.put(box.width);
  writer.put(box.height);
  for (const auto* column : {&box.data, &box.model, &box.z})
    for (const float v : *column) writer.put(v);
  return writer.take();
}

report::BoxShown unpacked(core::ByteReader& reader) {
  report::BoxShown box;
  box.caption = reader.get_text();
  box.width = reader.get<int>();
  box.height = reader.get<int>();
  for (auto* column : {&box.data, &box.model, &box.z})
    for (int i = 0; i < box.width * box.height; ++i) column->push_back(reader.get<float>());
  return box;
}

/// The parts of all ranks on the first. Each rank's shots are in the order of their identifiers, so that the
/// first boxes of all are among the first of each.
ShotParts gather_parts(const Communicator& communicator, ShotParts mine, std::size_t wanted) {
  core::ByteWriter writer;
  for (const auto* texts : {&mine.rows, &mine.errors}) {
    writer.put(static_cast<std::uint64_t>(texts->size()));
    for (const std::string& rows : *texts) writer.put_text(rows);
  }
  writer.put(static_cast<std::uint64_t>(mine.states.size()));
  for (const auto& [word, n] : mine.states) {
    writer.put_text(word);
    writer.put(n);
  }
  writer.put(static_cast<std::uint64_t>(mine.boxes.size()));
  for (const auto& [key, box] : mine.boxes) {
    writer.put_text(key);
    writer.put_text(packed(box));
  }
  ShotParts all;
  all.sigma_z = communicator.gather(mine.sigma_z);
  std::sort(all.sigma_z.begin(), all.sigma_z.end());
  all.pixel_z = mine.pixel_z;
  communicator.all_sum(std::span(all.pixel_z.counts));
  all.pixel_z.below = communicator.all_sum(mine.pixel_z.below);
  all.pixel_z.above = communicator.all_sum(mine.pixel_z.above);
  for (const std::string& bytes : communicator.gather(writer.take())) {
    core::ByteReader reader(bytes);
    for (auto* texts : {&all.rows, &all.errors})
      for (auto n = reader.get<std::uint64_t>(); n > 0; --n) texts->push_back(reader.get_text());
    for (auto n = reader.get<std::uint64_t>(); n > 0; --n) {
      const std::string word = reader.get_text();
      all.states[word] += reader.get<std::int64_t>();
    }
    for (auto n = reader.get<std::uint64_t>(); n > 0; --n) {
      const std::string key = reader.get_text(), text = reader.get_text();
      core::ByteReader box(text);
      all.boxes.emplace_back(key, unpacked(box));
    }
  }
  std::sort(all.rows.begin(), all.rows.end());
  std::sort(all.errors.begin(), all.errors.end());
  std::sort(all.boxes.begin(), all.boxes.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  if (all.boxes.size() > wanted) all.boxes.resize(wanted);
  return all;
}

} // namespace

ShotParts gather_shot_parts(const Communicator& communicator, const PixelResults& results) {
  const auto wanted = static_cast<std::size_t>(std::max(0, results.options.pixels.report_boxes));
  return gather_parts(communicator, parts_of(results, wanted), wanted);
}

} // namespace kilobragg::programs
