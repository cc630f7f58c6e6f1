// Collects what shards say of each image and lattice into the run ledger.
#pragma once

#include "kilobragg/report/live_ledger.hpp"

#include <string>
#include <vector>

namespace kilobragg::report {

struct Collected {
  std::string ledger; ///< where it can be read
  std::int64_t shards = 0, torn = 0;
  std::int64_t images = 0; ///< records read
  std::int64_t added = 0;  ///< images that the ledger did not have
  std::int64_t lattices = 0;
  double seconds = 0;
};

/// Reads the shards into the ledger, several at a time, a few hundred images per transaction; a torn
/// end is left out and counted. What stands in the header of a shard (program, version, commit, options)
/// fills the keys of run that are not set. A shard that cannot be read stops no other: core::Error at
/// the end names all of them, and a ledger that cannot be written.
Collected collect_shards(RunLedger& ledger, const std::vector<std::string>& shards);

/// All of output_dir/idx-NNNN.shard (io::shards_in) into output_dir/ledger.sqlite, which is made if it is not there. Also
/// while the run that writes them goes on elsewhere: a record in the making is taken for a torn end.
/// Throws core::Error if there is no shard.
Collected collect_run(const std::string& output_dir, const MachineView& machine = {});

/// "Collected 1000 images (12 new) and 812 lattices of 8 shards into out/ledger.sqlite in 0.1 s".
std::string format_collected(const Collected& collected);

} // namespace kilobragg::report
