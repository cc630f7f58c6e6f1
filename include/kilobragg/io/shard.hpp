// Shards: append-only logs of one rank's results, a record per image; composites are derived.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace kilobragg::io {

/// Appends results to one shard. Each append is flushed to the operating system before it returns,
/// so a killed process loses at most the image in hand.
class ShardWriter {
public:
  /// Opens `path` for appending; a torn record at the end is cut off first. `run` is the JSON
  /// header record (options, versions) written when the file is new.
  ShardWriter(const std::string& path, const std::string& run);
  ~ShardWriter();
  ShardWriter(ShardWriter&&) noexcept;
  /// Throws core::Error naming the file when the record cannot be written in full (disk full).
  void append(const models::StillResult& result);

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What a scan of a shard found.
struct ShardSummary {
  std::string run;              ///< the JSON header record
  std::size_t records = 0;      ///< images
  bool torn = false;            ///< ended in a bad or half-written record
  std::uint64_t good_bytes = 0; ///< length of the good part
};

/// Calls `visit` for each image in order; stops at the first record that is not whole. Throws
/// core::Error if the file is no shard.
ShardSummary read_shard(const std::string& path,
                        const std::function<void(models::StillResult&&)>& visit);

/// A lattice without its tables.
struct LatticeDigest {
  std::string identifier;
  models::Crystal crystal;
  double rmsd_px = 0, rmsd_psi_deg = 0;
  std::int64_t indexed = 0, reflections = 0; ///< spots and integrated reflections
  std::optional<double> d_min;               ///< smallest d of the reflections (angstrom)
};

/// An image without pixels, spots and reflections: what tables of images show.
struct StillDigest {
  models::ImageSource source;
  models::ExitState state = models::ExitState::PreprocessException;
  int count = 0;
  std::string message;
  std::array<double, models::step_count> seconds{};
  models::Processing processing;
  std::int64_t spots = 0;
  /// Resolution estimate (angstrom): ceil(0.95 n) of the n strong spots with |rlp| > 0 have
  /// 1/|rlp| of at least this.
  std::optional<double> d_min;
  std::vector<LatticeDigest> lattices;
};

/// True for the record of an input that could not be opened at all (missing, no image file), or of a
/// file of one image that could not be read: it says nothing of a frame of a data set, and --resume
/// tries the input again.
bool is_unopened(const StillDigest& still);

/// read_shard for digests: little more than reading the bytes, since tables are passed over.
ShardSummary read_shard_digests(const std::string& path,
                                const std::function<void(StillDigest&&)>& visit);

/// Detectors by the JSON text of their records; lets several shards share equal ones.
using DetectorPool = std::unordered_map<std::string, std::shared_ptr<const models::Detector>>;

/// One shard read in any order: a scan gives the offsets, each image is read at its own. Memory does
/// not grow with the number of images.
class ShardReader {
public:
  explicit ShardReader(std::string path);
  ~ShardReader();
  ShardReader(ShardReader&&) noexcept;
  /// Calls `visit` for each image in order with the offset of its record and all of the image but
  /// spots, pixels and lattices. To be called once, before read(). Throws as read_shard() does.
  ShardSummary
  scan(DetectorPool& pool,
       const std::function<void(std::uint64_t offset, const models::StillResult& head)>& visit);
  /// The image at an offset that scan() gave. Throws core::Error if the shard is not as it was. Keeps
  /// the file open until close().
  models::StillResult read(std::uint64_t offset);
  void close();

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The number in the name of a result: idx-0003.shard, idx-0003_refined.expt; none in other names.
std::optional<int> result_number(const std::string& path);
/// The shards of a run in a folder, idx-NNNN.shard, in order of their numbers; none if there is no
/// such folder. Other files are not the run's, whatever they hold.
std::vector<std::string> shards_in(const std::string& folder);

/// Which composite files to write (output.strong_filename and so on; empty = none).
struct CompositeNames {
  std::string strong = "idx-{:04d}_strong", indexed = "idx-{:04d}_indexed",
              refined = "idx-{:04d}_refined", integrated = "idx-{:04d}_integrated";
};

/// Derives composite files from one shard into `directory`, image by image, in the shard's order;
/// NNNN = `number`. `idx-NNNN_refined.expt` belongs to `idx-NNNN_indexed.refl` as in DIALS; each of
/// the two names has both endings, as links to the same files. Returns the files written.
std::vector<std::string> write_composites(const std::string& shard, const std::string& directory,
                                          int number, const CompositeNames& names = {});

} // namespace kilobragg::io
