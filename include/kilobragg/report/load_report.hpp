// Reads the run ledger into the numbers that the HTML report shows.
#pragma once

#include "kilobragg/report/report_data.hpp"

#include <string>

namespace kilobragg::report {

/// Reads images and lattices row by row, twice: first every n-th for the ranges of histograms and
/// for medians (all of them up to 50 000), then each one into bins. Memory does not grow with the
/// run. Frames are chosen, not drawn. Throws core::Error naming the file if it is no ledger.
ReportData load_report_data(const std::string& ledger, int frames_of_kind = 2);

} // namespace kilobragg::report
