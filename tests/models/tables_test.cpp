// Reflection tables, exit-state words and identifiers.
#include "kilobragg/core/error.hpp"
#include "kilobragg/models/reflection_table.hpp"
#include "kilobragg/models/still_result.hpp"

#include <gtest/gtest.h>

using namespace kilobragg;
using namespace kilobragg::models;

namespace {

ReflectionTable table_of(std::int32_t id, double value) {
  ReflectionTable table;
  table.rows = 2;
  table.make<std::int32_t>("id") = {id, id};
  table.make<double>("d") = {value, value + 1};
  table.identifiers = {{id, "id" + std::to_string(value)}};
  return table;
}

TEST(ReflectionTable, AppendsWithShiftedIds) {
  ReflectionTable joined;
  joined.append(table_of(0, 1.5), 0);
  joined.append(table_of(0, 3.5), 1);
  EXPECT_EQ(joined.rows, 4u);
  EXPECT_EQ(joined.get<std::int32_t>("id"), (std::vector<std::int32_t>{0, 0, 1, 1}));
  EXPECT_EQ(joined.get<double>("d"), (std::vector<double>{1.5, 2.5, 3.5, 4.5}));
  EXPECT_EQ(joined.identifiers.size(), 2u);
}

TEST(ReflectionTable, RefusesOtherColumnsAndTypes) {
  ReflectionTable a = table_of(0, 1), b = table_of(0, 2);
  b.make<double>("extra");
  EXPECT_THROW(a.append(b, 0), core::Error);
  EXPECT_THROW(a.get<double>("id"), core::Error);
  EXPECT_THROW(a.get<double>("absent"), core::Error);
  EXPECT_THROW(a.make<double>("id"), core::Error);
}

TEST(ExitState, WordsAreThoseOfDials) {
  for (int i = 0; i < exit_state_count; ++i) {
    const auto state = static_cast<ExitState>(i);
    EXPECT_EQ(exit_state_from_word(word(state)), state);
  }
  StillResult result;
  result.state = ExitState::IntegrateOk;
  result.count = 200;
  EXPECT_EQ(result.state_line(), "integrate_ok_200");
  EXPECT_THROW(exit_state_from_word("fine"), core::Error);
}

TEST(Identifier, DependsOnContentFrameAndLatticeAlone) {
  const std::string a = experiment_identifier("abc", 7, 0);
  EXPECT_EQ(a.size(), 32u);
  EXPECT_EQ(a, experiment_identifier("abc", 7, 0));
  EXPECT_NE(a, experiment_identifier("abc", 7, 1));
  EXPECT_NE(a, experiment_identifier("abc", 8, 0));
  EXPECT_NE(a, experiment_identifier("abd", 7, 0));
}

} // namespace
