// Draws the images of a report from shards and image files.
#pragma once

#include "kilobragg/report/report_data.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::report {

/// Fills `picture` of each frame, or `problem` with the reason why there is none. Looks for frames in
/// the shards of `output_dir`, first in those of the frame's rank, and reads at most
/// `most_shard_bytes` of them.
void draw_frames(std::vector<FrameShown>& frames, const std::string& output_dir,
                 std::int64_t most_shard_bytes);

} // namespace kilobragg::report
