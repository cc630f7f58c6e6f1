// What a refinement against pixels puts on disk to go on with, and how a later run does.
#include "pixel_steps.hpp"
#include "shot_store.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/parallel/together.hpp"

#include <fmt/ranges.h>

#include <filesystem>

namespace kilobragg::programs {

using namespace pixelrefinement;

void PixelRun::new_shots() {
  for (ShotModel& model :
       make_shots(communicator_, input_.loaded, input_.accepted, pixels_, images_))
    shots_.push_back({std::move(model), {}});
  progress_.assign(shots_.size(), {});
  results_.assign(shots_.size(), {});
}

void PixelRun::load_shots(const std::string& stem) {
  shots_ = read_shot_set(communicator_, stem, shot_set_);
  take_all_progress();
}

void PixelRun::keep_progress() {
  for (std::size_t i = 0; i < shots_.size(); ++i)
    shots_[i].caller = pack_progress(progress_[i], results_[i]);
}

void PixelRun::take_all_progress() {
  progress_.assign(shots_.size(), {});
  results_.assign(shots_.size(), {});
  parallel::together(communicator_, merge_usage, [&] {
    for (std::size_t i = 0; i < shots_.size(); ++i)
      progress_[i] = take_progress(shots_[i].caller, results_[i]);
  });
}

void PixelRun::save(PixelStep step, int cycle) {
  state_.options = input_.options;
  state_.problem = problem_;
  state_.step = step;
  state_.cycle = cycle;
  state_.f = table_.f;
  state_.sigma = table_.sigma;
  state_.measured = table_.measured;
  state_.mean = mean_;
  state_.cycles = cycles_;
  ++state_.serial;
  keep_progress();
  const std::string stem = fmt::format("_resume-{:04d}-", state_.serial);
  if (communicator_.is_root()) {
    if (state_.serial == 1) remove_state(); // of a run that nobody resumed
    remove_matching(path("_stage2"), "*.checkpoint");
  }
  write_shot_set(communicator_, path(stem), digest_of(state_), shots_);
  parallel::together(communicator_, merge_failed, [&] {
    if (communicator_.is_root()) write_pixel_state(state_, path("_pixels.state"));
  });
  if (!communicator_.is_root()) return;
  for (int old = 1; old < state_.serial; ++old)
    remove_matching(path(fmt::format("_resume-{:04d}-", old)), "*.shard");
}

void PixelRun::remove_state() const {
  remove_matching(path("_pixels.state"), "");
  remove_matching(path("_resume-"), "*.shard");
  remove_matching(path("_stage2"), "*.checkpoint");
  // What processes that were killed were writing.
  for (const char* of :
       {"_shots", "_shot_errors", "_resume-", "_stage2", "_pixels.", "_refined_", "_convergence."})
    for (const char* pattern : {"*.part", "*.part[0-9]*"}) remove_matching(path(of), pattern);
}

std::string PixelRun::checkpoint(const std::string& of) const {
  const std::string serial = state_.serial > 0 ? fmt::format("-{:04d}", state_.serial) : "";
  return path("_stage2" + serial + of + ".checkpoint");
}

void PixelRun::end_early(const std::string& where) const {
  throw parallel::CommonError(
      fmt::format("stopped by a signal {}; the same command with --resume goes on", where),
      merge_stopped);
}

bool PixelRun::resume() {
  const std::string file = path("_pixels.state");
  if (!communicator_.any(communicator_.is_root() && std::filesystem::exists(file))) return false;
  parallel::together(communicator_, merge_usage, [&] {
    state_ = read_pixel_state(file);
    const auto lines = differing_merge_options(input_.options, state_.options);
    core::require(
        lines.empty(),
        "'{}' is of a run with other options ({}); give the same to go on, or run without "
        "--resume to begin anew",
        file, fmt::join(lines, "; "));
    core::require(state_.problem == problem_ && state_.f.size() == table_.size(),
                  "'{}' is of other lattices or other first structure factors (input.path, "
                  "pixels.start.mtz_file) run without --resume to begin anew?",
                  file);
  });
  table_.f = state_.f;
  table_.sigma = state_.sigma;
  table_.measured = state_.measured;
  mean_ = state_.mean;
  cycles_ = state_.cycles;
  load_shots(path(fmt::format("_resume-{:04d}-", state_.serial)));
  parallel::together(communicator_, merge_usage, [&] {
    core::require(shot_set_ == digest_of(state_),
                  "'{}' and {} do not belong together (were files "
                  "copied from elsewhere?) run without --resume to begin anew?",
                  file, path("_resume-*.shard"));
  });
  core::log_info("Going on with '{}': cycle {}, {} shots", file, state_.cycle,
                 communicator_.all_sum(std::int64_t(shots_.size())));
  return true;
}

void PixelRun::begin() {
  const bool from_images = pixels_.does_stage1();
  if (pixels_.resume && from_images) resumed_ = resume();
  if (resumed_) return;
  if (from_images) {
    new_shots();
  } else {
    load_shots(path("_shots-"));
    state_.step = PixelStep::Stage1;
  }
  // Checkpoints of a stage 2 that began with shards alone.
  std::vector<std::string> checkpoints;
  for (const char* set : {"", "-odd", "-even"}) checkpoints.push_back(checkpoint(set));
  bool any = false;
  if (!from_images && communicator_.is_root())
    for (const std::string& file : checkpoints) {
      std::error_code ignored;
      any = any || std::filesystem::exists(file, ignored);
      if (!pixels_.resume) std::filesystem::remove(file, ignored); // of a run that nobody resumed
    }
  if (!pixels_.resume || communicator_.any(any)) return;
  pixels_.resume = false;
  core::log_info("Nothing to resume: this run begins anew");
}

} // namespace kilobragg::programs
