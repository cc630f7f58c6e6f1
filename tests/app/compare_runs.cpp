// compare_runs <folder> <other>: are the results of two runs of stills_process the same to the byte?
#include "support/comparable_results.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: compare_runs <output folder> <other output folder>\n");
    return 2;
  }
  try {
    kilobragg::testing::expect_same_runs(argv[1], argv[2]);
    const auto images = kilobragg::testing::comparable_results(argv[1]).size();
    std::printf("%zu images compared\n", images);
    if (images == 0) return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare_runs: %s\n", error.what());
    return 2;
  }
  return ::testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed() ? 1 : 0;
}
