// A shot with its pixels as bytes, and shards of shots: a later refinement needs no raw data.
#pragma once

#include "kilobragg/pixelrefinement/shot_model.hpp"
#include "kilobragg/pixelrefinement/shot_pixels.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kilobragg::pixelrefinement {

struct ShotRecord {
  ShotModel model;
  ShotPixels pixels;
  std::string caller = {}; ///< bytes that the caller keeps with the shot
};

/// Detectors by the MD5 of their bytes: shots that were taken with equal ones share one in memory.
class DetectorPool {
public:
  using Pointer = std::shared_ptr<const models::Detector>;
  /// The hash of a detector, which the pool keeps; empty for none.
  std::string hash_of(const Pointer& detector);
  /// Takes a detector's bytes and gives its hash. Throws core::Error if they are none.
  std::string add(std::string_view bytes);
  /// None for an empty hash. Throws core::Error for one that was never added.
  Pointer at(const std::string& hash) const;

private:
  std::unordered_map<std::string, Pointer> detectors_;
  std::unordered_map<Pointer, std::string> known_; ///< objects whose hash was made
};

/// All of a detector, as values lie in the memory of a little-endian machine, a version first.
std::string pack_detector(const models::Detector& detector);

/// All of a shot, doubles bit for bit; its detector by hash. Values are two bytes each where all are whole
/// photons below 65536, else floats; `used` are bits; `background` follows from the planes. Throws
/// core::Error where columns are not as long as the boxes say.
std::string pack_shot(const ShotRecord& record, DetectorPool& pool);
/// Its inverse. Throws core::Error for bytes that are no shot, or of another version.
ShotRecord unpack_shot(std::string_view bytes, const DetectorPool& pool);

/// Appends shots to a shard: a record log (core/record_log.hpp) of a record with the run, then detectors,
/// each before the first shot that was taken with it, and shots. Each append is handed to the operating
/// system before it returns.
class ShotShardWriter {
public:
  /// Opens `path` for appending; a torn record at the end is cut off first. `run` says in JSON how the
  /// shots came about; it is written where the file is new. Throws core::Error.
  ShotShardWriter(const std::string& path, const std::string& run);
  ~ShotShardWriter();
  ShotShardWriter(ShotShardWriter&&) noexcept;
  /// Throws core::Error naming the file when the record cannot be written in full.
  void append(const ShotRecord& record);

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A shot of a shard.
struct ShotEntry {
  std::string identifier;
  std::uint64_t pixels = 0, offset = 0;
};

/// One shard read in any order.
class ShotShardReader {
public:
  /// Scans the shard up to the first record that is not whole; detectors go to `pool`, which must
  /// outlive the reader. Throws core::Error if it is no shard of shots, or of another version.
  ShotShardReader(std::string path, DetectorPool& pool);
  ~ShotShardReader();
  ShotShardReader(ShotShardReader&&) noexcept;

  /// In the order of the file; of shots with the same identifier the last alone.
  const std::vector<ShotEntry>& entries() const;
  const std::string& run() const;
  bool torn() const; ///< ended in a bad or half-written record
  /// Throws core::Error if the shard is not as it was.
  ShotRecord read(const ShotEntry& entry);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::pixelrefinement
