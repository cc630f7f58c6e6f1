// Composite .expt and .refl files of one shard, derived image by image.
#include "kilobragg/core/error.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/io/still_tables.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;
using models::StillResult;

/// Path without its ending of a composite file, from a pattern such as "idx-{:04d}_strong".
std::string stem(const std::string& directory, const std::string& pattern, int number) {
  try {
    return (fs::path(directory) / fmt::format(fmt::runtime(pattern), number)).string();
  } catch (const fmt::format_error& error) {
    core::fail("'{}' is no pattern for file names ({})", pattern, error.what());
  }
}

/// Makes `copy` the same file as `original`.
void twin(const std::string& original, const std::string& copy) {
  std::error_code error;
  fs::remove(copy, error);
  fs::create_hard_link(original, copy, error);
  if (!error) return;
  fs::copy_file(original, copy, fs::copy_options::overwrite_existing, error);
  core::require(!error, "cannot write {} ({})", copy, error.message());
}

/// An .expt and its .refl, under one or more names; without a name nothing is written.
class Composite {
public:
  Composite(const std::string& directory, const std::vector<std::string>& patterns, int number)
      : experiments_(directory) {
    for (const std::string& pattern : patterns)
      if (!pattern.empty()) stems_.push_back(stem(directory, pattern, number));
    if (wanted()) reflections_.emplace(stems_.front() + ".refl");
  }

  bool wanted() const { return !stems_.empty(); }

  void add(const std::vector<models::Experiment>& experiments,
           const models::ReflectionTable& table) {
    reflections_->append(table, static_cast<std::int32_t>(experiments_.size()));
    for (const models::Experiment& experiment : experiments) experiments_.add(experiment);
  }

  /// `columns` is a table without rows, for a shard that gave nothing.
  void finish(const models::ReflectionTable& columns, std::vector<std::string>& written) {
    if (!wanted()) return;
    reflections_->append(columns);
    reflections_->finish();
    experiments_.write(stems_.front() + ".expt");
    for (const std::string& name : stems_)
      for (const char* ending : {".expt", ".refl"}) {
        if (name != stems_.front()) twin(stems_.front() + ending, name + ending);
        written.push_back(name + ending);
      }
  }

private:
  std::vector<std::string> stems_;
  ExperimentListWriter experiments_;
  std::optional<ReflectionFileWriter> reflections_;
};

/// A table with the columns of `make` and neither rows nor experiments.
template <typename Make>
models::ReflectionTable columns_of(Make make) {
  models::ReflectionTable table = make(StillResult());
  table.identifiers.clear();
  return table;
}

} // namespace

std::vector<std::string> write_composites(const std::string& shard, const std::string& directory,
                                          int number, const CompositeNames& names) {
  Composite strong(directory, {names.strong}, number);
  Composite refined(directory, {names.indexed, names.refined}, number);
  Composite integrated(directory, {names.integrated}, number);
  std::int32_t refined_images = 0;
  read_shard(shard, [&](StillResult&& result) {
    if (strong.wanted() && has_strong(result))
      strong.add({strong_experiment(result)}, strong_table(result));
    if (refined.wanted() && has_refined(result) && !result.lattices.empty())
      refined.add(refined_experiments(result), indexed_table(result, refined_images++));
    if (integrated.wanted() && has_integrated(result))
      integrated.add(integrated_experiments(result), integrated_table(result));
  });
  std::vector<std::string> written;
  strong.finish(columns_of([](const StillResult& r) { return strong_table(r); }), written);
  refined.finish(columns_of([](const StillResult& r) { return indexed_table(r); }), written);
  integrated.finish(columns_of([](const StillResult& r) { return integrated_table(r); }), written);
  return written;
}

} // namespace kilobragg::io
