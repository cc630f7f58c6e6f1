// The tables of refinement against pixels as text, before and after it.
#pragma once

#include "kilobragg/pixelrefinement/factor_statistics.hpp"

#include <string>
#include <vector>

namespace kilobragg::programs {

/// Figures of merit by shell: completeness, F/sigma, half sets, mates, and the truth where it is known.
std::string factor_table_text(const pixelrefinement::FactorStatistics& table,
                              const merging::ResolutionShells& shells);

/// The totals of several tables below each other, to be compared.
struct NamedStatistics {
  std::string name; ///< "merged", "refined, common indices"
  const pixelrefinement::FactorStatistics* table = nullptr;
};
std::string factor_comparison_text(const std::vector<NamedStatistics>& tables);

} // namespace kilobragg::programs
