// Chains of NeXus transformations: rotations and translations from a module up to the laboratory.
#pragma once

#include "hdf5.hpp"

#include "kernels/geometry/mat3.hpp"

#include "kilobragg/models/detector.hpp"

#include <map>
#include <string>
#include <vector>

namespace kilobragg::io {

/// x -> rotation * x + shift (mm).
struct Motion {
  Mat3 rotation = Mat3::identity();
  Vec3 shift{0, 0, 0};
  Vec3 operator()(const Vec3& x) const { return rotation * x + shift; }
};
/// First `inner`, then `outer`.
Motion operator*(const Motion& outer, const Motion& inner);

/// One axis as the file describes it.
struct NexusAxis {
  std::string path;       ///< absolute
  std::string depends_on; ///< absolute, or empty at the end of the chain
  std::string component;  ///< equipment_component, may be empty
  double value = 0;       ///< mm or rad, the first of several
  bool rotation = false;
  Vec3 vector{0, 0, 1}; ///< as written; pixel directions need not be unit vectors
  Vec3 offset{0, 0, 0}; ///< mm
  bool has_offset = false;
  Motion motion() const;
};

/// Reads the axes of one file, each once: the modules of a detector share most of theirs.
class AxisReader {
public:
  /// `file_name` is for messages.
  AxisReader(hid_t file, std::string file_name)
      : file_(file)
      , name_(std::move(file_name)) {}
  /// One axis by its absolute path. Throws core::Error naming the file and the axis on missing
  /// vectors, unknown units and the like.
  const NexusAxis& axis(const std::string& path);
  /// The axes from `first` (absolute path, may be empty) up to the laboratory.
  std::vector<NexusAxis> chain(const std::string& first);

private:
  hid_t file_;
  std::string name_;
  std::map<std::string, NexusAxis> axes_;
};

/// All motions of a chain, innermost first, as one.
Motion cumulative(const std::vector<NexusAxis>& chain);

/// NeXus (McStas) axes to those of dxtbx: (x, y, z) -> (-x, y, -z).
inline Vec3 from_nexus(const Vec3& v) { return {-v.x, v.y, -v.z}; }
/// The frame that dxtbx gives a node: its axes are the images of (-1, 0, 0) and (0, 1, 0).
models::Frame node_frame(const Motion& motion);

} // namespace kilobragg::io
