// Collects what the shards of a run hold into its ledger and writes the run's HTML report.
//
//   write_report OUTPUT_FOLDER [report.html]
//
// OUTPUT_FOLDER is output.output_dir of stills_process, also of one that still runs or was killed.
#include "kilobragg/report/collect.hpp"
#include "kilobragg/report/html_report.hpp"

#include <fmt/format.h>

using namespace kilobragg;

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: write_report OUTPUT_FOLDER [report.html]\n");
    return 2;
  }
  try {
    const std::string folder = argv[1], html = argc > 2 ? argv[2] : folder + "/report.html";
    const auto collected = report::collect_run(folder);
    fmt::print("{}\n", report::format_collected(collected));
    report::write_html_report(collected.ledger, folder, html);
    fmt::print("Wrote {}\n", html);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
