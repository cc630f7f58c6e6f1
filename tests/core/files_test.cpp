// Files are whole or absent, and failures name the file and the reason.
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kilobragg::core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::size_t files_in(const std::filesystem::path& folder) {
  const std::filesystem::directory_iterator entries(folder);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "table";
  {
    AtomicFile file(path);
    file.write("lost");
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_EQ(files_in(folder.path()), 0u);
  const std::string text(3'000'000, 'x'); // more than the buffer
  AtomicFile file(path);
  file.write("a");
  file.write(text);
  file.write("z");
  file.commit();
  EXPECT_EQ(read_text_file(path), "a" + text + "z");
  EXPECT_EQ(read_file(path).size(), text.size() + 2);
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, ReplacesWholeFiles) {
  const testing::TemporaryFolder folder;
  write_file(folder / "t", "long old text");
  write_file(folder / "t", "new");
  EXPECT_EQ(read_text_file(folder / "t"), "new");
}

TEST(AtomicFile, FullDiskLeavesTheOldFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "t";
  write_file(path, "old");
  const std::string big(5'000'000, 'x');
  {
    const testing::FileSizeLimit limit(1'500'000);
    EXPECT_THAT(error_of([&] { write_file(path, big); }),
                AllOf(HasSubstr(path), HasSubstr("File too large")));
  }
  EXPECT_EQ(read_text_file(path), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, NamesAFullDisk) {
  if (!std::filesystem::is_character_file("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  EXPECT_THAT(error_of([] { write_file("/dev/full", "text"); }),
              AllOf(HasSubstr("/dev/full"), HasSubstr("No space left on device")));
}

TEST(AtomicFile, NamesAMissingFolder) {
  EXPECT_THAT(error_of([] { write_file("/no/such/folder/file", "text"); }),
              AllOf(HasSubstr("/no/such/folder/file"), HasSubstr("No such file or directory")));
}

TEST(ReadFile, NamesWhatIsMissingOrAFolder) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_file(folder / "absent"); }), HasSubstr("absent"));
  EXPECT_THAT(error_of([&] { read_file(folder.path().string()); }), HasSubstr("folder"));
  write_file(folder / "empty", "");
  EXPECT_TRUE(read_file(folder / "empty").empty());
}

TEST(MatchingPaths, AreSortedOrNone) {
  const testing::TemporaryFolder folder;
  for (const char* name : {"b.expt", "a.expt", "c.refl"}) write_file(folder / name, "");
  EXPECT_EQ(matching_paths(folder / "*.expt"),
            (std::vector<std::string>{folder / "a.expt", folder / "b.expt"}));
  EXPECT_TRUE(matching_paths(folder / "*.mtz").empty());
}

} // namespace
} // namespace kilobragg::core
