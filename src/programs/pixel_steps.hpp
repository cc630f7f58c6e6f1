// The run behind run_pixel_refinement(): what its steps share.
#pragma once

#include "pixel_output.hpp"
#include "pixel_run.hpp"
#include "pixel_shots.hpp"
#include "pixel_state.hpp"
#include "stop_signals.hpp"

#include "kilobragg/pixelrefinement/energy_errors.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::programs {

inline bool takes_part(const pixelrefinement::ShotModel& shot) {
  using pixelrefinement::ShotState;
  return shot.state != ShotState::NoPixels && shot.state != ShotState::Contradiction;
}

/// Their order is in pixel_run.cpp, the stages in pixel_stages.cpp, what a later run goes on with in
/// pixel_resume.cpp.
class PixelRun {
public:
  PixelRun(const parallel::Communicator& communicator, const MergeOptions& options,
           const PixelInput& input, const std::function<void(const std::string&)>& step)
      : communicator_(communicator)
      , options_(options)
      , pixels_(options.pixels)
      , input_(input)
      , step_(step)
      , images_({parse_maps(), options.pixels.search_path}) {}
  void run();

private:
  std::vector<std::pair<std::string, std::string>> parse_maps() const;
  void prepare_options();
  void load_truth();
  void make_table();
  void new_table(const pixelrefinement::FactorTable& table);
  /// Where to begin: with what a run before left, with shards of shots, or with files of experiments.
  void begin();
  bool resume();
  void new_shots();
  void load_shots(const std::string& stem);
  /// First shoeboxes of all shots, which then move to ranks by their pixels.
  void cut_first();
  /// Cuts the shoeboxes of one shot. Where that cannot be done a new one has no pixels, and others keep
  /// those that they have.
  void cut(pixelrefinement::ShotRecord& shot, bool first);
  void stage1();
  /// Stage 1 of these shots in step, and their backgrounds anew.
  void refine_together(const std::vector<std::size_t>& numbers);
  /// CPU time of all ranks since `start`, for the log. Collective.
  void log_cpu(const std::string& what, double start, const std::string& each,
               std::int64_t mine) const;
  void predict();
  /// Moves F, G and B; returns how far F moved, in its errors (rms). Where this is the last one, as it is
  /// said or as F hardly moved, the half sets are refined too.
  double stage2(bool last);
  /// All shots, or one of the half sets ("-odd", "-even"), with its own checkpoint.
  pixelrefinement::FactorRefinement refine_set(const std::string& set,
                                               pixelrefinement::FactorTarget& target,
                                               const pixelrefinement::FactorTable& table,
                                               const std::vector<pixelrefinement::HeldShot>& held,
                                               const std::vector<std::uint8_t>& on,
                                               std::vector<std::size_t>* bad = nullptr);
  /// Stage 1, predict and stage 2, whatever is to be done of them; true if another cycle follows.
  bool cycle();
  /// Puts on disk that `step` of a cycle comes next, with everything it needs.
  void save(PixelStep step, int cycle);
  void keep_progress();
  void take_all_progress();
  /// Ends after a signal.
  [[noreturn]] void end_early(const std::string& where) const;
  void remove_state() const;
  std::string checkpoint(const std::string& of) const;
  /// Errors of F where the held shots with `on` refined it; `errors` are those of each.
  void set_errors(pixelrefinement::FactorTable& table,
                  const pixelrefinement::FactorRefinement& refined,
                  const std::vector<pixelrefinement::ShotErrors>& errors,
                  const std::vector<std::uint8_t>& on) const;
  /// `whole`: which of the held shots took part in refining all.
  void refine_halves(pixelrefinement::FactorTarget& target,
                     const std::vector<pixelrefinement::HeldShot>& held,
                     const std::vector<std::uint8_t>& whole,
                     const std::vector<pixelrefinement::ShotErrors>& errors);
  void give_up_misfits();
  void log_cycle(int cycle, double moved);
  void require_shots();
  void require_refined();
  void write();
  bool stopped() const { return communicator_.any(stop_signal() != 0); }
  std::string path(const std::string& rest) const {
    return options_.output_dir + "/" + options_.prefix + rest;
  }
  pixelrefinement::ShoeboxParams shoebox_params() const;

  const parallel::Communicator& communicator_;
  const MergeOptions& options_;
  PixelOptions pixels_;
  const PixelInput& input_;
  const std::function<void(const std::string&)>& step_;
  ShotImages images_;
  PixelLookups lookups_;
  std::optional<pixelrefinement::FactorTable> truth_;
  pixelrefinement::FactorTable table_, first_table_;
  RefinedSet odd_, even_; ///< empty until they are refined
  std::string problem_;   ///< digest of the lattices and of the first table
  pixelrefinement::FactorSphere sphere_;
  std::vector<double> mean_;
  std::vector<pixelrefinement::ShotRecord> shots_; ///< of this rank
  std::vector<ShotProgress> progress_;
  std::vector<pixelrefinement::Stage1Result> results_;
  std::vector<std::string> problems_; ///< of images, to be said by the first rank
  PixelState state_;                  ///< what is or would be on disk, but for the table
  bool resumed_ = false;
  std::string shot_set_; ///< of the shards that were loaded
  pixelrefinement::FactorRefinement refinement_;
  std::vector<CycleFigures> cycles_;
};

} // namespace kilobragg::programs
