// The payload of a shard's image record: one StillResult as MessagePack.
#pragma once

#include "kilobragg/io/shard.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

/// `detector` is the position of the result's detector among the shard's detector records.
std::vector<std::byte> pack_still(const models::StillResult& result,
                                  std::optional<std::size_t> detector);

/// Throws core::Error naming `name` on anything inconsistent: pixels and spots that are referred to
/// exist in the result.
models::StillResult
unpack_still(std::span<const std::byte> payload, const std::string& name,
             const std::vector<std::shared_ptr<const models::Detector>>& detectors);

/// The same without spots, pixels and lattices, which are passed over.
models::StillResult
unpack_still_head(std::span<const std::byte> payload, const std::string& name,
                  const std::vector<std::shared_ptr<const models::Detector>>& detectors);

/// The same record without its tables. Throws core::Error naming `name` on what cannot be read; what
/// tables hold is not checked.
StillDigest unpack_digest(std::span<const std::byte> payload, const std::string& name);

} // namespace kilobragg::io
