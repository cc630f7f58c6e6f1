// The tables of merge as text, in the form that users of cctbx.xfel.merge read.
#pragma once

#include "kilobragg/merging/statistics.hpp"

#include <string>

namespace kilobragg::programs {

std::string intensity_table_text(const merging::IntensityTable& table,
                                 const merging::ResolutionShells& shells);
std::string sign_counts_text(const merging::IntensityTable& table);
std::string agreement_table_text(const merging::AgreementTable& table,
                                 const merging::ResolutionShells& shells);
/// Histograms of the three edges; `reference` is the cell of the sample.
std::string cell_text(const merging::CellStatistics& cells, const models::UnitCell& reference);
std::string truth_text(const merging::TruthAgreement& agreement, double d_min,
                       int minimum_multiplicity);

} // namespace kilobragg::programs
