// Shots come back from bytes and shards as they were: every field, after torn ends, the last of twins.
#include "support/drawn_shots.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/record_log.hpp"

#include <fstream>
#include <limits>
#include <set>

namespace kilobragg::pixelrefinement {
namespace {

using testing::drawn_detector;
using testing::drawn_shot;
using testing::expect_same;

TEST(ShotRecord, ComesBackFromBytes) {
  DetectorPool pool;
  for (const bool whole : {true, false})
    for (unsigned seed = 0; seed < 8; ++seed) {
      const auto shot = drawn_shot("abc", seed, drawn_detector(120), whole);
      expect_same(unpack_shot(pack_shot(shot, pool), pool), shot);
    }
}

TEST(ShotRecord, KeepsOddNumbers) {
  DetectorPool pool;
  auto shot = drawn_shot("abc", 3, nullptr, false);
  shot.pixels.value[0] = -0.0f, shot.pixels.value[1] = -3, shot.pixels.value[2] = 1e9f;
  shot.model.distance = -0.0, shot.model.b_factor = std::numeric_limits<double>::denorm_min();
  auto back = unpack_shot(pack_shot(shot, pool), pool);
  expect_same(back, shot);
  EXPECT_TRUE(std::signbit(back.model.distance) && std::signbit(back.pixels.value[0]));
  EXPECT_EQ(back.model.detector, nullptr);
  for (const float edge : {65535.0f, 65536.0f, -0.0f, 0.5f}) { // around what two bytes hold
    shot = drawn_shot("abc", 3, nullptr, true);
    shot.pixels.value.back() = edge;
    back = unpack_shot(pack_shot(shot, pool), pool);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(back.pixels.value.back()),
              std::bit_cast<std::uint32_t>(edge));
  }
  shot.caller = std::string("a\0b", 3);
  EXPECT_EQ(unpack_shot(pack_shot(shot, pool), pool).caller, shot.caller);
  const auto empty = unpack_shot(pack_shot({}, pool), pool);
  EXPECT_TRUE(empty.pixels.boxes.empty() && empty.model.lattices.empty());
}

TEST(ShotRecord, WholePhotonsTakeTwoBytes) {
  DetectorPool pool;
  const auto size = [&](bool whole) {
    auto shot = drawn_shot("abc", 6, drawn_detector(120), whole);
    shot.pixels.readout = {0.5f};
    return pack_shot(shot, pool).size();
  };
  EXPECT_EQ(size(false) - size(true), 7u * 11 * 13 * 2);
}

TEST(ShotRecord, RefusesWhatIsNoShot) {
  DetectorPool pool, other;
  auto shot = drawn_shot("abc", 2, drawn_detector(120), true);
  std::string bytes = pack_shot(shot, pool);
  EXPECT_THROW(unpack_shot(bytes, other), core::Error); // its detector is not there
  EXPECT_THROW(unpack_shot(bytes + "x", pool), core::Error);
  for (std::size_t n = 0; n < bytes.size(); n += 3)
    EXPECT_THROW(unpack_shot(std::string_view(bytes).substr(0, n), pool), core::Error) << n;
  bytes[0] = 3;
  EXPECT_THROW(unpack_shot(bytes, pool), core::Error); // a later version
  shot.pixels.value.pop_back();
  EXPECT_THROW(pack_shot(shot, pool), core::Error);
}

/// Shots of two detectors, each an object of its own as every opened file has; "b" comes twice.
std::vector<ShotRecord> sample() {
  std::vector<ShotRecord> shots;
  unsigned seed = 0;
  for (const char* name : {"a", "b", "c", "b", "d"}) {
    shots.push_back(drawn_shot(name, seed, drawn_detector(seed < 3 ? 120 : 140), seed % 2 == 0));
    ++seed;
  }
  return shots;
}

std::vector<std::string> names(const ShotShardReader& reader) {
  std::vector<std::string> all;
  for (const ShotEntry& entry : reader.entries()) all.push_back(entry.identifier);
  return all;
}

TEST(ShotShard, GivesTheLastOfEachShot) {
  const testing::TemporaryFolder folder;
  const auto shots = sample();
  { // in two sittings
    ShotShardWriter writer(folder / "shots", "{\"run\": 1}");
    for (std::size_t i = 0; i < 2; ++i) writer.append(shots[i]);
  }
  {
    ShotShardWriter writer(folder / "shots", "another");
    for (std::size_t i = 2; i < shots.size(); ++i) writer.append(shots[i]);
  }
  DetectorPool pool;
  ShotShardReader reader(folder / "shots", pool);
  EXPECT_EQ(reader.run(), "{\"run\": 1}");
  EXPECT_FALSE(reader.torn());
  EXPECT_EQ(names(reader), (std::vector<std::string>{"a", "c", "b", "d"}));
  const std::vector<std::size_t> expected{0, 2, 3, 4};
  std::set<const models::Detector*> detectors;
  for (std::size_t i = 4; i-- > 0;) { // in any order
    const ShotRecord shot = reader.read(reader.entries()[i]);
    expect_same(shot, shots[expected[i]]);
    EXPECT_EQ(reader.entries()[i].pixels, shot.pixels.size());
    detectors.insert(shot.model.detector.get());
  }
  EXPECT_EQ(detectors.size(), 2u);
  std::map<std::uint32_t, int> types;
  core::scan_record_log(folder / "shots", [&](const core::Record& r) { ++types[r.type]; });
  EXPECT_EQ(types, (std::map<std::uint32_t, int>{{101, 1}, {102, 2}, {103, 5}}));
}

TEST(ShotShard, StopsAtATornRecordAndGoesOnFromThere) {
  const testing::TemporaryFolder folder;
  const auto shots = sample();
  std::vector<std::size_t> ends;
  for (const ShotRecord& shot : shots) {
    ShotShardWriter(folder / "whole", "").append(shot);
    ends.push_back(core::read_text_file(folder / "whole").size());
  }
  const std::string bytes = core::read_text_file(folder / "whole");
  for (std::size_t n = 60; n < bytes.size(); n += 97) {
    std::ofstream(folder / "torn", std::ios::binary) << bytes.substr(0, n);
    std::set<std::string> whole;
    for (std::size_t i = 0; i < shots.size(); ++i)
      if (ends[i] <= n) whole.insert(shots[i].model.identifier);
    DetectorPool pool;
    ShotShardReader reader(folder / "torn", pool);
    const auto found = names(reader);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), whole) << n;
    if (n % 5 != 0) continue;
    ShotShardWriter(folder / "torn", "").append(shots[4]);
    DetectorPool again;
    ShotShardReader mended(folder / "torn", again);
    EXPECT_FALSE(mended.torn());
    expect_same(mended.read(mended.entries().back()), shots[4]);
  }
}

TEST(ShotShard, RefusesOtherLogs) {
  const testing::TemporaryFolder folder;
  core::RecordLogWriter(folder / "log").append(1, {}); // as shards of images begin
  DetectorPool pool;
  EXPECT_THROW(ShotShardReader(folder / "log", pool), core::Error);
  EXPECT_THROW(ShotShardWriter(folder / "log", ""), core::Error);
}

} // namespace
} // namespace kilobragg::pixelrefinement
