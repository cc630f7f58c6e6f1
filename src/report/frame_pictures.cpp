// Finds the records of the chosen images, reads their pixels and draws both.
#include "frame_pictures.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/still_picture.hpp"
#include "kilobragg/report/svg_plot.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace kilobragg::report {
namespace {

namespace fs = std::filesystem;

constexpr int picture_width = 640; ///< pixels
constexpr int grey_levels = 12;    ///< few, so that noise takes little room in the file
constexpr std::size_t most_marks = 3000;

/// Shards of a folder: those whose names hold the rank of a frame, then the others.
std::vector<fs::path> shards_by_promise(const std::vector<FrameShown>& frames,
                                        const std::string& folder) {
  const auto found = io::shards_in(folder);
  std::vector<fs::path> shards(found.begin(), found.end());
  const auto promising = [&frames](const fs::path& shard) {
    const std::string name = shard.stem().string();
    return std::any_of(frames.begin(), frames.end(), [&name](const FrameShown& frame) {
      return name.find(fmt::format("{:04d}", frame.rank)) != std::string::npos;
    });
  };
  std::stable_partition(shards.begin(), shards.end(), promising);
  return shards;
}

/// Record of each frame, by its place in `frames`; of several, the one that was started last.
using Records = std::map<std::size_t, models::StillResult>;

void search_shard(const fs::path& shard, const std::vector<FrameShown>& frames, Records& records) {
  io::read_shard(shard.string(), [&](models::StillResult&& still) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (still.source.frame != frames[i].frame || still.source.path != frames[i].path ||
          still.source.dataset != frames[i].dataset)
        continue;
      const auto known = records.find(i);
      if (known == records.end() || known->second.processing.started <= still.processing.started)
        records[i] = std::move(still);
      return;
    }
  });
}

/// Looks until all frames are found; returns why some were not, or nothing.
std::string search(const std::vector<FrameShown>& frames, const std::string& folder,
                   std::int64_t most_bytes, Records& records) {
  std::int64_t bytes = 0;
  std::string reason = "its record is not in the shards of the output folder";
  for (const fs::path& shard : shards_by_promise(frames, folder)) {
    if (records.size() == frames.size()) return {};
    std::error_code error;
    bytes += static_cast<std::int64_t>(fs::file_size(shard, error));
    if (bytes > most_bytes)
      return fmt::format("its record was not found in the first {} MB of shards",
                         most_bytes / 1'000'000);
    try {
      search_shard(shard, frames, records);
    } catch (const core::Error& problem) {
      reason = problem.what();
    }
  }
  return reason;
}

/// Few shades of grey; gaps stay white.
void coarsen(io::Picture& picture) {
  for (auto& value : picture.rgb) {
    if (value == 255) continue;
    const int level = (value * (grey_levels - 1) + 124) / 248;
    value = static_cast<std::uint8_t>(std::min(248, level * 248 / (grey_levels - 1)));
  }
}

/// Laboratory x, y (mm) to picture units.
struct Placement {
  View view;
  double scale;
  Point at(const models::Detector& detector, int panel, const models::PanelPoint& px) const {
    const Vec3 lab = detector.panels.at(static_cast<std::size_t>(panel)).pixel_to_lab(px);
    return {(lab.x - view.x0) * scale, (view.y1 - lab.y) * scale};
  }
};

std::string circles(const models::StillResult& still, const Placement& place) {
  std::string path;
  for (std::size_t i = 0; i < std::min(most_marks, still.spots.spots.size()); ++i) {
    const auto& spot = still.spots.spots[i];
    const Point at = place.at(*still.detector, spot.panel, spot.px);
    path += fmt::format("M{:.1f} {:.1f}a5 5 0 1 0 10 0a5 5 0 1 0-10 0", at.x - 5, at.y);
  }
  return fmt::format("<path class=\"found\" d=\"{}\"/>", path);
}

std::string squares(const models::StillResult& still, const Placement& place) {
  std::string path;
  std::size_t drawn = 0;
  for (const auto& lattice : still.lattices)
    for (const auto& reflection : lattice.reflections) {
      if (++drawn > most_marks) break;
      const Point at = place.at(*still.detector, reflection.panel, reflection.px_cal);
      path += fmt::format("M{:.1f} {:.1f}h7v7h-7z", at.x - 3.5, at.y - 3.5);
    }
  return fmt::format("<path class=\"predicted\" d=\"{}\"/>", path);
}

std::string picture_of(const models::StillResult& still) {
  core::require(still.detector != nullptr, "its record holds no detector");
  const auto reader = io::open_images(still.source.path, still.source.dataset);
  const models::Image image = reader->read(still.source.frame);
  StillPictureParams params;
  params.width = picture_width;
  io::Picture picture = draw_still(image, *still.detector, {}, {}, params);
  coarsen(picture);
  const View view = whole_view(*still.detector);
  const Placement place{view, picture_width / (view.x1 - view.x0)};
  return fmt::format(
      R"(<svg class="still" viewBox="0 0 {0} {1}" role="img" aria-label="{2}"><image width="{0}" height="{1}" href="{3}"/>{4}{5}</svg>)",
      picture.width, picture.height, escape_html(still.source.tag()),
      png_data_url(io::encode_png(picture)), squares(still, place), circles(still, place));
}

} // namespace

void draw_frames(std::vector<FrameShown>& frames, const std::string& output_dir,
                 std::int64_t most_shard_bytes) {
  Records records;
  const std::string reason = search(frames, output_dir, most_shard_bytes, records);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto record = records.find(i);
    if (record == records.end()) {
      frames[i].problem = reason;
      continue;
    }
    try {
      frames[i].picture = picture_of(record->second);
    } catch (const std::exception& error) {
      frames[i].problem = error.what();
    }
  }
}

} // namespace kilobragg::report
