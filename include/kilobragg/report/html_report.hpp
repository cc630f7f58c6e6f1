// The report of a stills_process run as one HTML file that needs nothing else.
#pragma once

#include "kilobragg/report/report_data.hpp"

#include <string>

namespace kilobragg::report {

/// The whole document: HTML 5 in UTF-8 with SVG plots and embedded pictures; no script, no address
/// outside the file. One column on a phone, three on a projector.
std::string render_html(const ReportData& data);

struct HtmlReportOptions {
  std::string title;      ///< empty = the name of the output folder
  int frames_of_kind = 2; ///< pictures of the best, the not indexed and the worst images each
  std::int64_t most_shard_bytes = std::int64_t(4) << 30; ///< read in search of these images
};

/// Reads the run ledger `ledger` and, for the pictures, the shards in `output_dir` and the image
/// files; writes `html` (a temporary file is renamed). Images and lattices must have been collected
/// into the ledger (collect.hpp) to appear. A picture that cannot be made is replaced by the reason.
/// Throws core::Error if the ledger cannot be read or the report cannot be written.
void write_html_report(const std::string& ledger, const std::string& output_dir,
                       const std::string& html, const HtmlReportOptions& options = {});

} // namespace kilobragg::report
