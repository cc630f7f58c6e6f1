// Options are set by full path or ending, checked by kind, and refused with the nearest names.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/nearest_names.hpp"
#include "kilobragg/core/options.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace kilobragg::core {
namespace {

struct Target {
  bool squash = true;
  int bins = 20;
  std::array<int, 2> kernel{3, 3};
  double strong = 3;
  std::string directory = ".";
  std::optional<double> d_min, gain;
  std::optional<int> minimum = 16;
  std::vector<std::string> globs;
  int algorithm = 1;
  OptionSet options;

  Target() {
    options.add("dispatch.squash_errors", squash, "skip failing images");
    options.add("spotfinder.filter.d_min", d_min, "finest resolution of spots");
    options.add("prediction.gain", gain, "a gain");
    options.add("prediction.d_min", d_min, "finest resolution predicted");
    options.add("spotfinder.threshold.dispersion.kernel_size", kernel.data(), 2, "half widths");
    options.add("spotfinder.threshold.dispersion.sigma_strong", strong, "threshold");
    options.add("dispatch.hit_finder.minimum_number_of_reflections", minimum, "fewer: no hit");
    options.add("input.glob", globs, "patterns");
    options.add("output.output_dir", directory, "where results go");
    options.add("significance_filter.n_bins", bins, "bins");
    options.add_choice(
        "spotfinder.threshold.algorithm", {"dispersion", "dispersion_extended"},
        [this](int i) { algorithm = i; }, [this] { return algorithm; }, "which threshold");
  }
  std::string refusal(const std::string& name, const std::string& value) {
    try {
      options.set(name, value, "command line");
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Options, EveryKindIsSet) {
  Target t;
  t.options.parse_phil(
      "dispatch { squash_errors = no\n hit_finder.minimum_number_of_reflections=None }\n"
      "spotfinder { filter.d_min = 1.8\n threshold { algorithm = *dispersion dispersion_extended\n"
      " dispersion { kernel_size=5,4\n sigma_strong = +2.5e0 } } }\n"
      "input.glob = a*.h5\ninput.glob = 'b c.h5'\noutput.output_dir='my results'\n"
      "significance_filter.n_bins=7",
      "run.phil");
  EXPECT_FALSE(t.squash);
  EXPECT_EQ(t.minimum, std::nullopt);
  EXPECT_EQ(t.d_min, 1.8);
  EXPECT_EQ(t.algorithm, 0);
  EXPECT_EQ(t.kernel, (std::array<int, 2>{5, 4}));
  EXPECT_EQ(t.strong, 2.5);
  EXPECT_EQ(t.globs, (std::vector<std::string>{"a*.h5", "b c.h5"}));
  EXPECT_EQ(t.directory, "my results");
  EXPECT_EQ(t.bins, 7);
  t.options.set("spotfinder.filter.d_min", "Auto", "x");
  EXPECT_EQ(t.d_min, std::nullopt);
}

TEST(Options, UnambiguousEndingsAreEnough) {
  Target t;
  t.options.set("sigma_strong", "4", "command line");
  t.options.set("filter.d_min", "2", "command line");
  EXPECT_EQ(t.strong, 4);
  EXPECT_EQ(t.d_min, 2);
}

TEST(Options, AmbiguousEndingsListTheCandidates) {
  Target t;
  const auto text = t.refusal("d_min", "2");
  EXPECT_TRUE(has(text, "ambiguous") && has(text, "spotfinder.filter.d_min") &&
              has(text, "prediction.d_min"))
      << text;
}

TEST(Options, UnknownNamesGetTheNearest) {
  Target t;
  EXPECT_TRUE(has(t.refusal("sigma_stong", "4"),
                  "did you mean spotfinder.threshold.dispersion.sigma_strong?"));
  EXPECT_TRUE(has(t.refusal("output.ouptut_dir", "x"), "did you mean output.output_dir?"));
  EXPECT_TRUE(has(t.refusal("spotfinder.n_bins", "x"), "significance_filter.n_bins"));
  EXPECT_TRUE(has(t.refusal("zzzzzzzzzz", "x"), "see --help"));
}

TEST(Options, WrongKindsNameOptionAndExpectation) {
  Target t;
  EXPECT_TRUE(has(t.refusal("n_bins", "7.5"), "significance_filter.n_bins"));
  EXPECT_TRUE(has(t.refusal("n_bins", "7.5"), "whole number"));
  EXPECT_TRUE(has(t.refusal("sigma_strong", "three"), "a number is expected"));
  EXPECT_TRUE(has(t.refusal("sigma_strong", "nan"), "a number is expected"));
  EXPECT_TRUE(has(t.refusal("sigma_strong", "None"), "a number is expected"));
  EXPECT_TRUE(has(t.refusal("squash_errors", "maybe"), "True or False"));
  EXPECT_TRUE(has(t.refusal("kernel_size", "3"), "2 whole numbers"));
  EXPECT_TRUE(has(t.refusal("threshold.algorithm", "fft"), "dispersion, dispersion_extended"));
}

TEST(Options, AFileNamesItsLine) {
  Target t;
  try {
    t.options.parse_phil("# x\nspotfinder {\n  sigma = 3\n}\n", "bad.phil");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.what(), "bad.phil, line 3")) << error.what();
  }
}

TEST(Options, ShownConfigReadsBack) {
  Target t, u;
  t.options.parse_phil("input.glob=a b\ninput.glob=c\nfilter.d_min=1.25\noutput.output_dir='x y'\n"
                       "threshold.algorithm=dispersion\nkernel_size=4 2\nsquash_errors=False",
                       "a");
  const auto text = t.options.to_phil();
  u.options.parse_phil(text, "shown");
  EXPECT_EQ(u.options.to_phil(), text);
  EXPECT_EQ(u.globs, t.globs);
  EXPECT_EQ(u.directory, "x y");
  EXPECT_FALSE(u.squash);
}

TEST(Options, OnlyChangesAreShownOnRequest) {
  Target t;
  EXPECT_EQ(t.options.to_phil(true), "");
  t.options.set("n_bins", "9", "x");
  EXPECT_EQ(t.options.to_phil(true), "significance_filter {\n  n_bins = 9\n}\n");
}

TEST(Options, HelpNamesEveryOptionDefaultAndChoice) {
  Target t;
  const auto text = t.options.help();
  for (const auto& option : t.options.options()) EXPECT_TRUE(has(text, option.path)) << option.path;
  EXPECT_TRUE(has(text, "sigma_strong = 3  [float]"));
  EXPECT_TRUE(has(text, "algorithm = dispersion_extended  [dispersion | dispersion_extended]"));
}

TEST(Options, HelpShowsEachGroupOnce) {
  bool a = false, b = false, c = false;
  OptionSet options;
  options.add("first.one", a, "1");
  options.add("second.two", b, "2");
  options.add("first.three", c, "3");
  const auto text = options.help();
  EXPECT_EQ(text.find("\nfirst\n"), text.rfind("\nfirst\n"));
  EXPECT_LT(text.find("first.three"), text.find("second.two"));
}

TEST(Options, DeclaringTwiceIsAMistake) {
  Target t;
  EXPECT_THROW(t.options.add("output.output_dir", t.directory, "again"), Error);
}

class CommandLines : public ::testing::Test {
protected:
  void SetUp() override {
    directory = std::filesystem::temp_directory_path() /
                ("kilobragg_options_" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory);
  }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::string file(const std::string& name, const std::string& text) {
    const auto path = (directory / name).string();
    std::ofstream(path) << text;
    return path;
  }
  CommandLine parse(Target& t, std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "program");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), t.options);
  }
  std::filesystem::path directory;
};

TEST_F(CommandLines, FilesOptionsAndInputsByTheirShape) {
  Target t;
  const auto phil = file("a.phil", "n_bins=3\nsigma_strong=9");
  const auto line = parse(t, {"image.h5", "sigma_strong=5", phil.c_str(), "--config",
                              file("c.conf", "filter.d_min=2").c_str(), "b.cbf", "-v"});
  EXPECT_EQ(line.inputs, (std::vector<std::string>{"image.h5", "b.cbf"}));
  EXPECT_EQ(t.bins, 3);
  EXPECT_EQ(t.strong, 5) << "the command line wins over files wherever it stands";
  EXPECT_EQ(t.d_min, 2);
  EXPECT_EQ(line.log_level, "debug");
  EXPECT_FALSE(line.help || line.version || line.show_config);
}

TEST_F(CommandLines, Flags) {
  Target t;
  EXPECT_TRUE(parse(t, {"-h"}).help);
  EXPECT_TRUE(parse(t, {"--help"}).help);
  EXPECT_TRUE(parse(t, {"--version"}).version);
  EXPECT_TRUE(parse(t, {"-c", "x.h5"}).show_config);
  EXPECT_EQ(parse(t, {"--log-level", "warning"}).log_level, "warning");
}

TEST_F(CommandLines, FlagsOfAProgramSetItsOptions) {
  Target t;
  t.options.add_flag("--squash", "dispatch.squash_errors", "skip failing images");
  t.options.add_flag("--glob", "input.glob", "a pattern");
  t.options.add_flag("--out", "output.output_dir", "where results go");
  t.squash = false;
  const auto line = parse(t, {"--glob", "a=b", "x.h5", "--squash", "y.h5", "--glob=c=d", "--out",
                              "there", "output.output_dir=here"});
  EXPECT_EQ(line.inputs, (std::vector<std::string>{"x.h5", "y.h5"}));
  EXPECT_EQ(t.globs, (std::vector<std::string>{"a=b", "c=d"}));
  EXPECT_TRUE(t.squash);
  EXPECT_EQ(t.directory, "there") << "flags win";
  const auto help = flag_help(t.options);
  EXPECT_TRUE(has(help, "--glob arg") && has(help, "a pattern") && has(help, "--quiet")) << help;
  EXPECT_FALSE(has(help, "--squash arg"));
}

TEST_F(CommandLines, FlagsThatAreNotSetChangeNothing) {
  Target t;
  t.squash = false;
  t.options.add_flag("--squash", "dispatch.squash_errors", "skip failing images");
  parse(t, {"x.h5"});
  EXPECT_FALSE(t.squash);
}

TEST_F(CommandLines, FlagsAreDeclaredOnceForAnOptionThatIsThere) {
  Target t;
  t.options.add_flag("--glob", "input.glob", "a pattern");
  EXPECT_THROW(t.options.add_flag("--glob", "output.output_dir", "again"), Error);
  EXPECT_THROW(t.options.add_flag("--quiet", "output.output_dir", "taken"), Error);
  EXPECT_THROW(t.options.add_flag("--no", "output.nothing", "no option"), Error);
  EXPECT_THROW(t.options.add_flag("out", "output.output_dir", "no dashes"), Error);
}

TEST_F(CommandLines, MistakenFlagsNameTheFlag) {
  Target t;
  t.options.add_flag("--bins", "significance_filter.n_bins", "bins");
  const auto refusal = [&](std::vector<const char*> arguments) -> std::string {
    try {
      parse(t, std::move(arguments));
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_TRUE(has(refusal({"--bins", "many"}), "--bins")) << refusal({"--bins", "many"});
  EXPECT_TRUE(has(refusal({"--bin", "3"}), "did you mean --bins?")) << refusal({"--bin", "3"});
  EXPECT_NE(refusal({"--bins"}), "accepted");
}

TEST_F(CommandLines, AFileWithAnEqualsSignIsAnInput) {
  Target t;
  const auto path = file("run=1.h5", "");
  EXPECT_EQ(parse(t, {path.c_str()}).inputs, std::vector<std::string>{path});
  EXPECT_EQ(parse(t, {"/elsewhere/run=1.h5"}).inputs,
            std::vector<std::string>{"/elsewhere/run=1.h5"});
}

TEST_F(CommandLines, MistakesAreErrors) {
  Target t;
  EXPECT_THROW(parse(t, {"--hlep"}), Error);
  EXPECT_THROW(parse(t, {"--config", "/nowhere/x"}), Error);
  EXPECT_THROW(parse(t, {"missing.phil"}), Error);
  EXPECT_THROW(parse(t, {"n_bins=x"}), Error);
  EXPECT_THROW(parse(t, {"nbin=4"}), Error);
}

TEST(Options, DifferencesAreListedUnlessIgnored) {
  Target now, before;
  now.options.set("significance_filter.n_bins", "7", "here");
  now.options.set("output.output_dir", "elsewhere", "here");
  const auto ignored = [](const std::string& path) { return path.rfind("output.", 0) == 0; };
  EXPECT_EQ(now.options.differing_from(before.options, ignored),
            std::vector<std::string>{"significance_filter.n_bins is 7, was 20"});
  EXPECT_TRUE(before.options.differing_from(before.options, ignored).empty());
}

TEST(NearestNames, EditDistance) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("gian", "gain"), 1);
  EXPECT_EQ(edit_distance("same", "same"), 0);
}

} // namespace
} // namespace kilobragg::core
