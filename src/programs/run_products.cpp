// Composites, stream, ledger and report of shards.
#include "run_products.hpp"

#include "run_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/io/stream_writer.hpp"
#include "kilobragg/report/collect.hpp"
#include "kilobragg/report/html_report.hpp"

#include <fmt/ranges.h>

#include <filesystem>

namespace kilobragg::programs {

std::int64_t derive_share(const parallel::Communicator& comm,
                          const std::vector<std::string>& shards, const OutputOptions& output,
                          const std::function<int()>& stop) {
  std::size_t written = 0;
  for (std::size_t i = std::size_t(comm.rank()); i < shards.size() && stop() == 0;
       i += std::size_t(comm.size()))
    written += derive_composites(shards[i], output).size();
  return static_cast<std::int64_t>(written);
}

void write_stream(const StillsOptions& options, const std::vector<std::string>& shards) {
  if (options.output.stream.empty()) return;
  io::StreamOptions stream;
  if (options.has_cell) stream.unit_cell = options.still.indexing.unit_cell;
  if (options.has_space_group) stream.space_group = options.still.indexing.space_group;
  try {
    const auto written = io::write_stream(shards, options.output.stream, stream);
    core::log_info("Wrote {} crystals of {} images to {}", written.crystals, written.images,
                   fmt::join(written.files, ", "));
  } catch (const core::Error& error) {
    core::log_warning("there is no stream ({})", error.what());
  }
}

void write_report(const OutputOptions& output, const std::string& directory, bool pictures) {
  const auto ledger = std::filesystem::path(directory) / report::ledger_name;
  if (output.report.empty() || !std::filesystem::exists(ledger)) return;
  const auto html = std::filesystem::path(directory) / output.report;
  try {
    report::HtmlReportOptions options;
    if (!pictures) options.frames_of_kind = 0;
    report::write_html_report(ledger.string(), directory, html.string(), options);
    core::log_info("Wrote the report {}", html.string());
  } catch (const core::Error& error) {
    core::log_warning("there is no report ({})", error.what());
  }
}

void collect_results(const StillsOptions& options, const std::vector<std::string>& shards) {
  core::start_log({.level = core::LogLevel::Info, .console = true, .file = "", .prefix = ""});
  const auto files = derive_composites(shards, options.output);
  core::log_info("Wrote {} files of results from {} shards", files.size(), shards.size());
  write_stream(options, shards);
  const auto directory = std::filesystem::absolute(shards.front()).parent_path().string();
  if (options.output.ledger)
    core::log_info("{}", report::format_collected(report::collect_run(directory)));
  write_report(options.output, directory);
}

} // namespace kilobragg::programs
