// A minimisation that goes on from a checkpoint, on other ranks, takes the same steps to the last bit.
#include "pixelrefinement/spread_problem.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

namespace kilobragg::pixelrefinement {
namespace {

using parallel::Communicator;

constexpr std::size_t shared_variables = 30; // of 100
const std::string digest = "reference data, 1.9 angstrom";
/// Not text, and longer than one piece of a small buffer.
const std::string caller = std::string("shots\0and weights", 17) + std::string(5000, '\xff');

LbfgsParams strict() {
  LbfgsParams params;
  params.gradient_tolerance = 1e-9;
  return params;
}

SpreadProblem rosenbrock_on(const Communicator& ranks, std::size_t shift) {
  return {many_variables()[1], ranks, shared_variables, shift};
}

/// A folder of the first rank that all ranks know, removed when all are done.
class CommonFolder {
public:
  CommonFolder() {
    if (Communicator::world().is_root()) folder_.emplace();
    if (folder_) path_ = folder_->path();
    Communicator::world().broadcast(path_);
  }
  ~CommonFolder() { Communicator::world().barrier(); }
  CommonFolder(const CommonFolder&) = delete;
  CommonFolder& operator=(const CommonFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
  std::optional<testing::TemporaryFolder> folder_;
  std::string path_;
};

void advance(SpreadProblem& problem, SpreadLbfgsState& state, int evaluations) {
  for (int i = 0; i < evaluations && state.status == LbfgsStatus::Evaluate; ++i)
    problem.evaluate(state, strict());
}

void save(const std::string& path, SpreadProblem& problem, const SpreadLbfgsState& state) {
  write_checkpoint(path, problem.vectors(), {digest, problem.blocks()}, state, caller);
}

Checkpoint load(const std::string& path, SpreadProblem& problem) {
  return read_checkpoint(path, problem.vectors(), {digest, problem.blocks()});
}

/// All numbers of a state, vectors whole.
std::vector<double> numbers_of(SpreadProblem& problem, const SpreadLbfgsState& state) {
  std::vector<double> numbers{double(state.status),      double(state.iterations),
                              double(state.evaluations), state.f,
                              state.search.step,         state.search.width_before,
                              state.inverse_scale,       state.report.gradient_norm};
  const auto append = [&](const std::vector<double>& more) {
    numbers.insert(numbers.end(), more.begin(), more.end());
  };
  append(state.s_y);
  for (const auto* vector : {&state.point, &state.x, &state.g, &state.direction})
    append(problem.whole(*vector));
  for (const auto& s : state.s) append(problem.whole(s));
  for (const auto& y : state.y) append(problem.whole(y));
  return numbers;
}

/// To the end, and what stands there.
std::vector<double> end_of(SpreadProblem problem, SpreadLbfgsState state) {
  advance(problem, state, 1000);
  EXPECT_EQ(state.status, LbfgsStatus::Converged);
  return numbers_of(problem, state);
}

TEST(Checkpoint, GoesOnBitForBitOnOtherRanks) {
  const CommonFolder folder;
  const auto world = Communicator::world(), alone = Communicator::alone();
  SpreadProblem single = rosenbrock_on(alone, 0);
  const auto expected = end_of(single, single.start());
  for (const int evaluations : {0, 1, 2, 23, 30}) {
    // Written by all ranks; read by all, who hold other blocks now, and by one.
    SpreadProblem spread = rosenbrock_on(world, 0), moved = rosenbrock_on(world, 1);
    SpreadLbfgsState state = spread.start();
    advance(spread, state, evaluations);
    const std::string path = folder / "spread" + std::to_string(evaluations);
    save(path, spread, state);
    const Checkpoint elsewhere = load(path, moved), together = load(path, single);
    EXPECT_EQ(elsewhere.caller, caller);
    EXPECT_EQ(together.caller, caller);
    EXPECT_EQ(end_of(moved, elsewhere.state), expected);
    EXPECT_EQ(end_of(single, together.state), expected);
    // Written by one, read by all.
    const std::string from_one = folder / "one" + std::to_string(evaluations);
    if (world.is_root()) {
      SpreadLbfgsState mine = single.start();
      advance(single, mine, evaluations);
      save(from_one, single, mine);
    }
    world.barrier();
    EXPECT_EQ(end_of(moved, load(from_one, moved).state), expected);
  }
}

TEST(Checkpoint, KeepsADiagonal) {
  const CommonFolder folder;
  const auto world = Communicator::world();
  SpreadProblem problem(stretched_quadratic(), world, 11),
      moved(stretched_quadratic(), world, 11, 1);
  SpreadLbfgsState state = problem.start(stretched_diagonal());
  advance(problem, state, 5);
  save(folder / "diagonal", problem, state);
  const SpreadLbfgsState restarted = load(folder / "diagonal", moved).state;
  EXPECT_TRUE(restarted.has_diagonal);
  EXPECT_EQ(moved.whole(restarted.diagonal), stretched_diagonal());
  EXPECT_EQ(end_of(moved, restarted), end_of(problem, state));
}

/// What the error says, empty without one.
template <typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const core::Error& error) {
    return error.what();
  }
  return {};
}

TEST(Checkpoint, AnotherProblemIsRefused) {
  const CommonFolder folder;
  const auto world = Communicator::world();
  SpreadProblem problem = rosenbrock_on(world, 0);
  SpreadLbfgsState state = problem.start();
  const std::string path = folder / "checkpoint";
  save(path, problem, state);
  const auto with = [&](const CheckpointProblem& other) {
    return error_of([&] { read_checkpoint(path, problem.vectors(), other); });
  };
  EXPECT_EQ(with({digest, problem.blocks()}), "");
  EXPECT_NE(with({"2.0 angstrom", problem.blocks()}).find("digest"), std::string::npos);
  auto blocks = problem.blocks();
  if (world.is_root()) blocks.front().name = "a shot of tomorrow";
  EXPECT_NE(with({digest, blocks}).find("nothing of a shot of tomorrow"), std::string::npos);
  blocks = problem.blocks();
  if (world.is_root()) std::swap(++blocks[0].size, --blocks[1].size);
  EXPECT_NE(with({digest, blocks}).find("variables of block"), std::string::npos);
  if (world.is_root()) ++blocks[0].size;
  EXPECT_NE(with({digest, blocks}).find("owns"), std::string::npos);
  SpreadProblem fewer(many_variables()[1], world, shared_variables - 2);
  EXPECT_NE(error_of([&] { load(path, fewer); }).find("of another problem"), std::string::npos);
  EXPECT_NE(error_of([&] { load(folder / "absent", problem); }).find("absent"), std::string::npos);
}

TEST(Checkpoint, ADamagedFileIsRefused) {
  const CommonFolder folder;
  const auto world = Communicator::world();
  SpreadProblem problem = rosenbrock_on(world, 0);
  SpreadLbfgsState state = problem.start();
  advance(problem, state, 12);
  save(folder / "whole", problem, state);
  world.barrier();
  const std::string whole = core::read_text_file(folder / "whole");
  for (int k = 0; k < 20; ++k) {
    const std::size_t at = whole.size() * std::size_t(k) / 20;
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    for (const std::string& bytes : {whole.substr(0, at), flipped}) {
      if (world.is_root()) core::write_file(folder / "bad", bytes);
      world.barrier();
      EXPECT_NE(error_of([&] { load(folder / "bad", problem); }), "") << at;
    }
  }
}

TEST(Checkpoint, AFullDiskLeavesTheOneBefore) {
  const CommonFolder folder;
  const auto world = Communicator::world();
  SpreadProblem problem = rosenbrock_on(world, 0);
  SpreadLbfgsState state = problem.start();
  const std::string path = folder / "checkpoint";
  advance(problem, state, 12);
  save(path, problem, state);
  const auto before = numbers_of(problem, state);
  advance(problem, state, 3);
  std::string said;
  {
    const testing::FileSizeLimit full(4096);
    said = error_of([&] { save(path, problem, state); });
  }
  EXPECT_NE(said.find("cannot write"), std::string::npos) << said;
  EXPECT_EQ(numbers_of(problem, load(path, problem).state), before);
  if (world.is_root()) { // nothing half is left beside it
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "."), {}), 1);
  }
}

} // namespace
} // namespace kilobragg::pixelrefinement
