// A made-up run in a ledger: sessions, batches, images and lattices with known totals.
#pragma once

#include "kilobragg/report/run_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace kilobragg::testing {

struct SampleRun {
  int images = 300, ranks = 4;
  bool times = true, batches = true, pause = false;
  bool trouble = false;      ///< a slow rank, a lost rank, a moment without the file system
  double start = 1763640000; ///< Unix time (s)
};

/// Image `i` of the run: of every ten, two are blank and one is not indexed; 1 in 97 is unreadable.
inline models::ExitState sample_state(int i) {
  using models::ExitState;
  if (i % 97 == 50) return ExitState::PreprocessException;
  if (i % 10 < 2) return ExitState::NotEnoughSpots;
  return i % 10 == 2 ? ExitState::IndexingFailed : ExitState::IntegrateOk;
}

inline io::LatticeDigest sample_lattice_digest(int i, std::mt19937& random) {
  std::normal_distribution<double> normal(0, 1);
  io::LatticeDigest lattice;
  lattice.identifier = models::experiment_identifier("sample", i, 0);
  const double a = 77.06 + 0.13 * normal(random), c = 37.22 + 0.06 * normal(random);
  lattice.crystal = models::Crystal::from_cell(
      {a, a, c, 90, 90, 90}, rotation_about(unit(Vec3{1, 2, 3}), i), models::SpaceGroup("P43212"));
  lattice.crystal.mosaicity = models::Mosaicity{0.05 * std::exp(0.3 * normal(random)), 2000};
  lattice.rmsd_px = 0.5 * std::exp(0.3 * normal(random));
  lattice.rmsd_psi_deg = 0.03;
  lattice.indexed = 60 + i % 80;
  lattice.reflections = 200 + i % 150;
  lattice.d_min = 1.6;
  return lattice;
}

/// Steps take some tens of milliseconds, longer with a lattice.
inline io::StillDigest sample_digest(int i, std::mt19937& random) {
  std::gamma_distribution<double> gamma(4, 0.25);
  io::StillDigest digest;
  digest.source = {"/images/run <1> & \"2\".h5", "/entry/data/data", i, "sample"};
  digest.state = sample_state(i);
  if (digest.state == models::ExitState::PreprocessException) {
    digest.message = "cannot read frame (its chunk is damaged)";
    digest.seconds[0] = 0.005 * gamma(random);
    return digest;
  }
  const bool hit = digest.state != models::ExitState::NotEnoughSpots;
  digest.spots = hit ? 40 + i % 90 : i % 16;
  if (digest.spots > 0) digest.d_min = 1.9 + 0.3 * gamma(random);
  digest.seconds = {
      0.01 * gamma(random), 0.02 * gamma(random), hit ? 0.08 * gamma(random) : 0, 0, 0, 0};
  if (digest.state != models::ExitState::IntegrateOk) return digest;
  digest.seconds[3] = 0.03 * gamma(random);
  digest.seconds[4] = 0.05 * gamma(random);
  digest.lattices.push_back(sample_lattice_digest(i, random));
  digest.count = static_cast<int>(digest.lattices[0].reflections);
  return digest;
}

/// Makes rank 5 slow, loses rank 9 after two seconds, lets everybody wait for files after three.
inline void make_trouble(io::StillDigest& digest, double& free, double since_start) {
  if (digest.processing.rank == 5)
    for (double& seconds : digest.seconds) seconds *= 4;
  if (since_start > 3 && since_start < 3.3) digest.seconds[0] = 1.2;
  if (digest.processing.rank == 9 && since_start > 2) free += 1e6;
}

/// The images in order, each on the rank that is free first; rank 0 hands out if there are more.
inline std::vector<io::StillDigest> sample_digests(const SampleRun& run) {
  std::mt19937 random(11);
  const int workers = run.ranks > 1 ? run.ranks - 1 : 1;
  std::vector<double> free(std::size_t(workers), run.start + 0.5);
  std::vector<io::StillDigest> digests;
  for (int i = 0; i < run.images; ++i) {
    auto digest = sample_digest(i, random);
    const auto worker = std::min_element(free.begin(), free.end());
    // A resumed run: the second half starts an hour later.
    if (run.pause && i == run.images / 2)
      for (double& time : free) time = run.start + 3600.5;
    digest.processing = {"node" + std::to_string(worker - free.begin()),
                         static_cast<int>(worker - free.begin()) + (run.ranks > 1 ? 1 : 0),
                         run.times ? *worker : 0};
    if (run.trouble) make_trouble(digest, *worker, *worker - run.start);
    for (const double seconds : digest.seconds) *worker += seconds;
    *worker += 0.002;
    if (!run.times) digest.seconds = {};
    digests.push_back(std::move(digest));
  }
  return digests;
}

inline models::StillResult counted_result(const io::StillDigest& digest) {
  models::StillResult result;
  result.state = digest.state;
  result.seconds = digest.seconds;
  result.spots.spots.resize(static_cast<std::size_t>(digest.spots));
  for (const auto& lattice : digest.lattices) {
    result.lattices.emplace_back();
    result.lattices.back().reflections.resize(static_cast<std::size_t>(lattice.reflections));
  }
  return result;
}

inline void add_sample_batches(report::RunLedger& ledger,
                               const std::vector<io::StillDigest>& digests, std::size_t first,
                               std::size_t end) {
  std::vector<report::BatchRow> rows;
  for (std::size_t i = first; i < end; ++i) {
    report::BatchRow row;
    row.rank = digests[i].processing.rank;
    row.first = static_cast<std::int64_t>(i);
    row.finished_at = digests[i].processing.started;
    for (const double seconds : digests[i].seconds) row.finished_at += seconds;
    row.summary.add(counted_result(digests[i]));
    rows.push_back(row);
  }
  ledger.add_batches(rows);
}

/// One session over images [first, end).
inline void add_sample_session(report::RunLedger& ledger, const SampleRun& run,
                               const std::vector<io::StillDigest>& digests, std::size_t first,
                               std::size_t end, double started, report::SessionState state) {
  report::SessionInfo session;
  session.program = "stills_process";
  session.version = "0.1.0";
  session.commit = "1a2b3c4";
  session.options = "indexing.known_symmetry.space_group = \"P43212\" # <&>\n";
  session.host = "login<1>";
  session.ranks = run.ranks;
  session.started = started;
  session.events_total = run.images;
  ledger.begin_session(session);
  if (run.batches) add_sample_batches(ledger, digests, first, end);
  double ended = started;
  for (std::size_t i = first; i < end; ++i) {
    double done = digests[i].processing.started;
    for (const double seconds : digests[i].seconds) done += seconds;
    ended = std::max(ended, done);
  }
  ledger.end_session(state, ended);
}

/// Writes a whole run; returns its images. Without batches it is as if collected from shards alone.
inline std::vector<io::StillDigest> write_sample_run(const std::string& path,
                                                     const SampleRun& run) {
  const auto digests = sample_digests(run);
  report::RunLedger ledger(path);
  const report::InputRow input{"/images/run <1> & \"2\".h5", "/entry/data/data", run.images,
                               "sample", ""};
  const std::size_t half = digests.size() / 2;
  if (run.batches) {
    ledger.add_inputs(std::span(&input, 1));
    add_sample_session(ledger, run, digests, 0, run.pause ? half : digests.size(), run.start,
                       run.pause ? report::SessionState::Stopped : report::SessionState::Finished);
    if (run.pause)
      add_sample_session(ledger, run, digests, half, digests.size(), run.start + 3600,
                         report::SessionState::Finished);
  }
  ledger.add_images(digests);
  return digests;
}

} // namespace kilobragg::testing
