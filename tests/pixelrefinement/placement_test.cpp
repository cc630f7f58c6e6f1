// Shots find their ranks: the same from any distribution, evenly, with detectors shared.
#include "support/drawn_shots.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/placement.hpp"

#include <map>
#include <set>

namespace kilobragg::pixelrefinement {
namespace {

using parallel::Communicator;

/// Longest processing time first, as it is written down.
std::map<std::string, int> plain_placement(std::vector<ShotLoad> shots, int ranks) {
  std::sort(shots.begin(), shots.end(), [](const ShotLoad& a, const ShotLoad& b) {
    return a.pixels != b.pixels ? a.pixels > b.pixels : a.identifier < b.identifier;
  });
  std::vector<std::uint64_t> pixels(std::size_t(ranks), 0), count(pixels);
  std::map<std::string, int> placed;
  for (const ShotLoad& shot : shots) {
    std::size_t least = 0;
    for (std::size_t r = 1; r < pixels.size(); ++r)
      if (std::pair(pixels[r], count[r]) < std::pair(pixels[least], count[least])) least = r;
    placed[shot.identifier] = static_cast<int>(least);
    pixels[least] += shot.pixels, ++count[least];
  }
  return placed;
}

std::string name_of(unsigned i) { return "shot" + std::to_string(i * 7919 % 1000); }

ShotRecord shot_of(unsigned i) {
  return testing::drawn_shot(name_of(i), i, testing::drawn_detector(i % 2 ? 100 : 200), i % 3 != 0);
}

std::map<std::string, int> expected_places(unsigned count, int ranks) {
  std::vector<ShotLoad> loads;
  for (unsigned i = 0; i < count; ++i) loads.push_back({name_of(i), shot_of(i).pixels.size()});
  return plain_placement(loads, ranks);
}

/// Distributes `count` shots of which rank first_owner(i) has number i.
template <typename Owner>
void check(unsigned count, const Owner& first_owner) {
  const auto world = Communicator::world();
  std::vector<ShotRecord> mine;
  for (unsigned i = count; i-- > 0;)
    if (first_owner(i) == world.rank()) mine.push_back(shot_of(i));
  const auto here = distribute_shots(world, std::move(mine));

  std::set<std::string> wanted;
  for (const auto& [name, rank] : expected_places(count, world.size()))
    if (rank == world.rank()) wanted.insert(name);
  std::set<std::string> found;
  std::set<const models::Detector*> detectors;
  for (std::size_t i = 0; i < here.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(here[i - 1].model.identifier, here[i].model.identifier);
    }
    found.insert(here[i].model.identifier);
    detectors.insert(here[i].model.detector.get());
  }
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(found.size(), here.size());
  EXPECT_LE(detectors.size(), 2u);
  for (unsigned i = 0; i < count; ++i)
    for (const ShotRecord& shot : here)
      if (shot.model.identifier == name_of(i)) testing::expect_same(shot, shot_of(i));
}

TEST(Placement, IsLongestProcessingTimeFirst) {
  std::mt19937 random(5);
  for (const int ranks : {1, 2, 3, 5, 64}) {
    std::vector<ShotLoad> loads;
    for (unsigned i = 0; i < 40; ++i) loads.push_back({name_of(i), random() % 20});
    const auto plain = plain_placement(loads, ranks);
    for (int order = 0; order < 3; ++order) {
      std::shuffle(loads.begin(), loads.end(), random);
      const auto placed = place_shots(loads, ranks);
      for (std::size_t i = 0; i < loads.size(); ++i)
        EXPECT_EQ(placed[i], plain.at(loads[i].identifier));
    }
  }
  EXPECT_TRUE(place_shots({}, 3).empty());
}

TEST(Placement, ByTurns) {
  const int size = Communicator::world().size();
  check(40, [size](unsigned i) { return int(i) % size; });
}
TEST(Placement, FromTheLastRank) {
  const int size = Communicator::world().size();
  check(23, [size](unsigned) { return size - 1; });
}
TEST(Placement, FewerShotsThanRanks) {
  check(2, [](unsigned) { return 0; });
  check(0, [](unsigned) { return 0; });
}

TEST(Placement, RefusesTheSameShotTwice) {
  const auto world = Communicator::world();
  std::vector<ShotRecord> mine;
  mine.push_back(shot_of(0));
  if (world.size() == 1) mine.push_back(shot_of(0));
  EXPECT_THROW(distribute_shots(world, std::move(mine)), core::Error);
}

} // namespace
} // namespace kilobragg::pixelrefinement
