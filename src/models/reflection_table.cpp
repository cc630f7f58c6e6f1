// Appending reflection tables column by column.
#include "kilobragg/models/reflection_table.hpp"

namespace kilobragg::models {

void ReflectionTable::append(const ReflectionTable& other, std::int32_t id_offset) {
  if (rows == 0 && columns.empty()) {
    for (const auto& [name, column] : other.columns)
      columns.emplace(
          name,
          std::visit([](const auto& values) { return Column(std::decay_t<decltype(values)>()); },
                     column));
  }
  core::require(columns.size() == other.columns.size(),
                "reflection tables with {} and {} columns cannot be joined", columns.size(),
                other.columns.size());
  for (auto& [name, column] : columns) {
    const auto it = other.columns.find(name);
    core::require(it != other.columns.end() && it->second.index() == column.index(),
                  "column '{}' is missing or of another type (tables cannot be joined)", name);
    std::visit(
        [&source = it->second](auto& values) {
          const auto& more = std::get<std::decay_t<decltype(values)>>(source);
          values.insert(values.end(), more.begin(), more.end());
        },
        column);
  }
  if (id_offset != 0 && has("id")) {
    auto& id = make<std::int32_t>("id");
    for (std::size_t i = rows; i < id.size(); ++i)
      if (id[i] >= 0) id[i] += id_offset; // negative: belongs to no experiment
  }
  for (const auto& [id, identifier] : other.identifiers) identifiers[id + id_offset] = identifier;
  rows += other.rows;
}

} // namespace kilobragg::models
