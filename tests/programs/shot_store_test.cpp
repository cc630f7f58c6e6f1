// Sets of shards: all shots come back on any number of ranks, and sets that are not whole are refused.
#include "shot_store.hpp"
#include "support/drawn_shots.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/parallel/together.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace kilobragg::programs {
namespace {

using parallel::Communicator;
using pixelrefinement::ShotRecord;

/// A folder that all ranks share.
class SharedFolder {
public:
  explicit SharedFolder(const Communicator& world)
      : world_(world)
      , path_(world.all_gather(own_.path().string())[0]) {}
  ~SharedFolder() { world_.barrier(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
  const Communicator& world_;
  testing::TemporaryFolder own_;
  std::string path_;
};

std::vector<ShotRecord> shots_of(const Communicator& world, int all) {
  std::vector<ShotRecord> shots;
  for (int i = world.rank(); i < all; i += world.size())
    shots.push_back(testing::drawn_shot("shot " + std::to_string(i), unsigned(i),
                                        testing::drawn_detector(100), true));
  return shots;
}

std::multiset<std::string> identifiers(const Communicator& world,
                                       const std::vector<ShotRecord>& shots) {
  std::string mine;
  for (const ShotRecord& shot : shots) mine += shot.model.identifier + '\n';
  std::multiset<std::string> all;
  for (const std::string& part : world.all_gather(mine))
    for (std::size_t begin = 0, end; begin < part.size(); begin = end + 1) {
      end = part.find('\n', begin);
      all.insert(part.substr(begin, end - begin));
    }
  return all;
}

TEST(ShotStore, AllShotsComeBackOnce) {
  const Communicator world = Communicator::world();
  const SharedFolder folder(world);
  for (const int count : {7, 1}) { // fewer shots than ranks, too; the shards of before go
    const auto shots = shots_of(world, count);
    write_shot_set(world, folder / "x-", "set " + std::to_string(count), shots);
    std::string set;
    const auto back = read_shot_set(world, folder / "x-", set);
    EXPECT_EQ(set, "set " + std::to_string(count));
    EXPECT_EQ(identifiers(world, back), identifiers(world, shots));
    for (const ShotRecord& shot : back) {
      const unsigned seed = unsigned(std::stoi(shot.model.identifier.substr(5)));
      testing::expect_same(shot, testing::drawn_shot(shot.model.identifier, seed,
                                                     testing::drawn_detector(100), true));
    }
  }
}

TEST(ShotStore, SetsThatAreNotWholeAreRefused) {
  const Communicator world = Communicator::world();
  const SharedFolder folder(world);
  std::string set;
  EXPECT_THROW(read_shot_set(world, folder / "x-", set), parallel::CommonError) << "there is none";
  write_shot_set(world, folder / "x-", "one", shots_of(world, 6));
  write_shot_set(world, folder / "y-", "two", shots_of(world, 6));
  if (world.rank() == 0) // of another set
    std::filesystem::copy_file(folder / "y-0000.shard", folder / "x-0777.shard");
  world.barrier();
  EXPECT_THROW(read_shot_set(world, folder / "x-", set), parallel::CommonError) << "another set";
  if (world.rank() == 0) {
    std::filesystem::remove(folder / "x-0777.shard");
    std::filesystem::copy_file(folder / "x-0000.shard", folder / "x-0778.shard");
  }
  world.barrier();
  EXPECT_THROW(read_shot_set(world, folder / "x-", set), parallel::CommonError) << "one too many";
  if (world.rank() == 0) std::filesystem::remove(folder / "x-0778.shard");
  world.barrier();
  EXPECT_EQ(identifiers(world, read_shot_set(world, folder / "x-", set)).size(), 6u);
  if (world.rank() == 0) std::ofstream(folder / "x-0000.shard") << "no shard";
  world.barrier();
  EXPECT_THROW(read_shot_set(world, folder / "x-", set), parallel::CommonError) << "damaged";
}

TEST(ShotStore, AFolderThatCannotBeWrittenIsSaid) {
  const Communicator world = Communicator::world();
  const SharedFolder folder(world);
  EXPECT_THROW(write_shot_set(world, folder / "absent/x-", "one", shots_of(world, 3)),
               parallel::CommonError);
}

} // namespace
} // namespace kilobragg::programs
