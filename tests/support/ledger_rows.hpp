// Rows for ledgers, and short questions to them.
#pragma once

#include "src/report/sqlite.hpp"

#include "kilobragg/report/run_ledger.hpp"

#include <string>

namespace kilobragg::testing {

/// A batch of 10 images that ended in minute `minute`: 2 integrated, 3 without a lattice, 5 no hits.
inline report::BatchRow sample_batch(int rank, int minute) {
  report::BatchRow batch;
  batch.finished_at = 1763640000.0 + 60 * minute + 1;
  batch.rank = rank;
  batch.first = 10 * minute;
  auto& sum = batch.summary;
  sum.stills = 10;
  sum.by_state[std::size_t(models::ExitState::IntegrateOk)] = 2;
  sum.by_state[std::size_t(models::ExitState::IndexingFailed)] = 3;
  sum.by_state[std::size_t(models::ExitState::NotEnoughSpots)] = 5;
  sum.lattices = 3;
  sum.spots = 400;
  sum.indexed_spots = 150;
  sum.reflections = 700;
  sum.seconds = {1, 2, 3, 4, 5, 6};
  return batch;
}

inline report::SessionInfo sample_session(double started = 1763640000) {
  return {"stills_process", "0.1.0", "abc1234", "input {\n}\n", "node1", 8, started, 1000};
}

inline std::int64_t ask(const std::string& path, const std::string& sql) {
  return report::Database(path, report::Database::Mode::Read).integer(sql);
}

/// Text of the first column of the first row.
inline std::string ask_text(const std::string& path, const std::string& sql) {
  const report::Database database(path, report::Database::Mode::Read);
  auto statement = database.prepare(sql);
  return statement.step() ? statement.text(0) : "no row";
}

} // namespace kilobragg::testing
