// Phil text as users write it becomes assignments with full paths.
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/phil.hpp"

#include <gtest/gtest.h>

namespace kilobragg::core {
namespace {

std::string flat(const std::string& text) {
  std::string out;
  for (const auto& a : parse_phil_text(text, "t.phil"))
    out += a.path + "=" + a.value + "@" + std::to_string(a.line) + "\n";
  return out;
}

std::string error_of(const std::string& text) {
  try {
    parse_phil_text(text, "t.phil");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Phil, NestedScopesAndDots) {
  EXPECT_EQ(
      flat("spotfinder {\n  filter.min_spot_size=2\n  threshold\n  {\n dispersion { gain = 25 }\n"
           "  }\n}\nindexing.known_symmetry.space_group = P6122\n"),
      "spotfinder.filter.min_spot_size=2@2\nspotfinder.threshold.dispersion.gain=25@5\n"
      "indexing.known_symmetry.space_group=P6122@8\n");
}

TEST(Phil, ListsQuotesAndBlanks) {
  EXPECT_EQ(flat("cell = 92.9 92.9   130.4 90 90 120\ngroup='P 21 21 21'\nother=\"a # b\""),
            "cell=92.9 92.9 130.4 90 90 120@1\ngroup=P 21 21 21@2\nother=a # b@3\n");
  EXPECT_EQ(flat("cell=58,58,150,90,90,90"), "cell=58,58,150,90,90,90@1\n");
}

TEST(Phil, CommentsSemicolonsAndContinuation) {
  EXPECT_EQ(flat("# all\na = 1 # one\nb = 2; c = 3\nd = 4 \\\n  5\ne = 6"),
            "a=1@2\nb=2@3\nc=3@3\nd=4 5@4\ne=6@6\n");
}

TEST(Phil, DisabledDefinitionsAndScopes) {
  EXPECT_EQ(flat("!a = 1\n!scope { b = 2 }\nc = 3"), "c=3@3\n");
}

TEST(Phil, AttributesAreSkipped) {
  EXPECT_EQ(flat("a = 1\n  .type = int\n  .help = \"x\" \\\n   \"y\"\nb = 2"), "a=1@1\nb=2@5\n");
}

TEST(Phil, EqualsSignInsideAValue) {
  EXPECT_EQ(flat("glob=/data/run=12/*.h5"), "glob=/data/run=12/*.h5@1\n");
}

TEST(Phil, TripleQuotesSpanLines) { EXPECT_EQ(flat("t = '''a\nb'''\nc=1"), "t=a\nb@1\nc=1@3\n"); }

TEST(Phil, EmptyText) { EXPECT_EQ(flat("\n  # nothing\n"), ""); }

TEST(Phil, MistakesAreNamedWithTheirLine) {
  EXPECT_NE(error_of("a = 1\nb {\n c = 1\n").find("line 2: the scope 'b' is never closed"),
            std::string::npos);
  EXPECT_NE(error_of("a = 1\n}\n").find("line 2: '}' closes nothing"), std::string::npos);
  EXPECT_NE(error_of("a = 'x\n").find("line 1: a quote is never closed"), std::string::npos);
  EXPECT_NE(error_of("a = 1\nlonely\n").find("line 2: 'lonely'"), std::string::npos);
  EXPECT_NE(error_of("= 3\n").find("t.phil, line 1"), std::string::npos);
}

TEST(Phil, QuotingIsReadBack) {
  for (const std::string value :
       {"plain", "with blank", "a#b", "quote\"inside", "", "None", "a\\b", "x=1", "it's"}) {
    const auto back = parse_phil_text("v = " + quote_phil(value), "q");
    ASSERT_EQ(back.size(), 1U);
    EXPECT_EQ(back[0].value, value);
  }
}

} // namespace
} // namespace kilobragg::core
