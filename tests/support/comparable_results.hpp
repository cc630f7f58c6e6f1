// Results of runs as bytes: equal for the same images and options, whoever computed them and when.
#pragma once

#include "src/io/still_codec.hpp"

#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/models/reflection_table.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <type_traits>

namespace kilobragg::testing {

using BytesByName = std::map<std::string, std::string>;

/// All that a result says but by whom and how fast it was made.
inline std::string comparable_bytes(models::StillResult still) {
  still.processing = {};
  still.seconds = {};
  still.detector = nullptr;
  const auto bytes = io::pack_still(still, std::nullopt);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The results in the shards of a folder by path and frame; an image that stands in them twice is a
/// failure of the test.
inline BytesByName comparable_results(const std::string& folder) {
  BytesByName found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".shard")
      io::read_shard(entry.path().string(), [&](models::StillResult&& still) {
        const std::string key = still.source.path + ":" + std::to_string(still.source.frame);
        EXPECT_TRUE(found.emplace(key, comparable_bytes(std::move(still))).second)
            << key << " stands twice in the shards of " << folder;
      });
  return found;
}

template <typename T>
void append_bytes(const T& value, std::string& out) {
  if constexpr (std::is_same_v<T, models::Shoebox>) {
    append_bytes(value.panel, out);
    append_bytes(value.box, out);
    for (const float v : value.data) append_bytes(v, out);
    for (const float v : value.background) append_bytes(v, out);
    for (const std::int32_t v : value.mask) append_bytes(v, out);
  } else {
    static_assert(std::is_trivially_copyable_v<T>);
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
}

/// The rows of all idx-NNNN_<kind>.refl in a folder by the identifier of their experiment, without
/// the columns that number experiments and images within a file.
inline BytesByName comparable_reflections(const std::string& folder, const std::string& kind) {
  BytesByName found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().ends_with("_" + kind + ".refl")) continue;
    const auto table = io::read_reflections(entry.path().string());
    for (const auto& [id, name] : table.identifiers)
      EXPECT_TRUE(found.emplace(name, "").second) << name << " is twice in " << folder;
    const auto& ids = table.get<std::int32_t>("id");
    for (const auto& [name, column] : table.columns) {
      if (name == "id" || name == "imageset_id") continue;
      std::visit(
          [&, &table = table](const auto& values) {
            for (std::size_t row = 0; row < table.rows; ++row)
              append_bytes(values[row],
                           found[ids[row] < 0 ? "unindexed" : table.identifiers.at(ids[row])]);
          },
          column);
    }
  }
  return found;
}

/// Says which names differ instead of showing bytes.
inline void expect_equal_bytes(const BytesByName& a, const BytesByName& b) {
  EXPECT_EQ(a.size(), b.size());
  for (const auto& [name, bytes] : a) {
    const auto other = b.find(name);
    if (other == b.end())
      ADD_FAILURE() << name << " is missing";
    else
      EXPECT_TRUE(bytes == other->second) << name << " differs";
  }
}

/// Results, and all composites that are derived from them.
inline void expect_same_runs(const std::string& folder, const std::string& other) {
  SCOPED_TRACE(folder + " and " + other);
  expect_equal_bytes(comparable_results(folder), comparable_results(other));
  for (const char* kind : {"strong", "indexed", "integrated"}) {
    SCOPED_TRACE(kind);
    expect_equal_bytes(comparable_reflections(folder, kind), comparable_reflections(other, kind));
  }
}

} // namespace kilobragg::testing
