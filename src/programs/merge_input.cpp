// Pairs of .expt and .refl files, and their rows as observations.
#include "merge_input.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/io/shot_list.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace kilobragg::programs {

namespace {

namespace fs = std::filesystem;

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

// The reflections that belong to `experiments`: the suffix exchanged, or .expt by .refl.
FilePair pair_for(const std::string& experiments, const MergeOptions& options) {
  FilePair pair{experiments, {}};
  if (ends_with(experiments, options.experiments_suffix))
    pair.reflections =
        experiments.substr(0, experiments.size() - options.experiments_suffix.size()) +
        options.reflections_suffix;
  else
    pair.reflections = fs::path(experiments).replace_extension(".refl").string();
  core::require(fs::is_regular_file(pair.reflections),
                "'{}' has no reflections ('{}' is missing); is input.reflections_suffix={} right?",
                experiments, pair.reflections, options.reflections_suffix);
  return pair;
}

void add_folder(const std::string& folder, const MergeOptions& options,
                std::vector<FilePair>& pairs) {
  std::size_t orphans = 0;
  const std::size_t before = pairs.size();
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  core::require(!error, "cannot read the folder '{}' ({}; option input.path)", folder,
                error.message());
  for (const fs::directory_entry& entry : entries) {
    const std::string path = entry.path().string();
    if (ends_with(path, options.experiments_suffix)) pairs.push_back(pair_for(path, options));
    orphans += ends_with(path, options.reflections_suffix);
  }
  const std::size_t found = pairs.size() - before;
  core::require(found > 0, "no file in '{}' ends with '{}' (option input.experiments_suffix)",
                folder, options.experiments_suffix);
  core::require(orphans <= found,
                "'{}' holds {} reflection files but {} experiment files (each '{}' needs its '{}')",
                folder, orphans, found, options.reflections_suffix, options.experiments_suffix);
}

// Rows of each experiment of a table, in the order of the file.
std::vector<std::vector<std::size_t>> rows_by_experiment(const models::ReflectionTable& table,
                                                         const LoadedExperiments& loaded) {
  const auto& id = table.get<std::int32_t>("id");
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < loaded.experiments.size(); ++i)
    position[loaded.experiments[i].identifier] = i;
  std::map<std::int32_t, std::size_t> experiment_of;
  for (const auto& [value, identifier] : table.identifiers) {
    const auto at = position.find(identifier);
    core::require(at != position.end(),
                  "'{}' and '{}' do not belong together (the reflections have the experiment "
                  "identifier '{}', the experiments do not)",
                  loaded.files.experiments, loaded.files.reflections, identifier);
    experiment_of[value] = at->second;
  }
  std::vector<std::vector<std::size_t>> rows(loaded.experiments.size());
  for (std::size_t row = 0; row < id.size(); ++row) {
    auto at = experiment_of.find(id[row]);
    if (at == experiment_of.end() && table.identifiers.empty() && id[row] >= 0 &&
        static_cast<std::size_t>(id[row]) < rows.size())
      at = experiment_of.emplace(id[row], static_cast<std::size_t>(id[row])).first;
    core::require(at != experiment_of.end(),
                  "row {} of '{}' has id {}, which is no experiment of '{}'", row,
                  loaded.files.reflections, id[row], loaded.files.experiments);
    rows[at->second].push_back(row);
  }
  return rows;
}

void require_columns(const models::ReflectionTable& table, const std::string& path) {
  for (const char* name : {"id", "miller_index", "intensity.sum.value", "intensity.sum.variance"})
    core::require(table.has(name), "'{}' has no column '{}' (not integrated?)", path, name);
}

} // namespace

std::vector<FilePair> find_pairs(const MergeOptions& options) {
  if (!options.pixels.shot_list.empty()) return pairs_of_list(options.pixels.shot_list);
  std::vector<FilePair> pairs;
  for (const std::string& path : options.paths) {
    const std::vector<std::string> matches = core::matching_paths(path);
    core::require(!matches.empty(),
                  "nothing to merge at '{}' (option input.path: no such file or "
                  "folder, and no file matches it as a pattern)",
                  path);
    for (const std::string& match : matches) {
      if (fs::is_directory(match))
        add_folder(match, options, pairs);
      else if (ends_with(match, ".expt"))
        pairs.push_back(pair_for(match, options));
      else
        core::require(matches.size() > 1,
                      "'{}' is no experiment file (its name should end with "
                      ".expt; the reflections beside it are found by name)",
                      match);
    }
  }
  core::require(!pairs.empty(), "nothing to merge (no experiment file among input.path)");
  std::sort(pairs.begin(), pairs.end(),
            [](const FilePair& a, const FilePair& b) { return a.experiments < b.experiments; });
  const auto same = [](const FilePair& a, const FilePair& b) {
    return a.experiments == b.experiments;
  };
  pairs.erase(std::unique(pairs.begin(), pairs.end(), same), pairs.end());
  return pairs;
}

std::vector<FilePair> share_of(const std::vector<FilePair>& pairs, int rank, int ranks) {
  std::vector<std::pair<std::uintmax_t, std::size_t>> by_size;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    std::error_code error; // a file that vanished is reported when it is read
    by_size.emplace_back(fs::file_size(pairs[i].reflections, error), i);
  }
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::uintmax_t> load(static_cast<std::size_t>(ranks), 0);
  std::vector<FilePair> mine;
  for (const auto& [size, i] : by_size) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += size;
    if (least - load.begin() == rank) mine.push_back(pairs[i]);
  }
  return mine;
}

std::vector<LoadedExperiments> load_experiments(const std::vector<FilePair>& pairs,
                                                bool keep_detectors) {
  std::vector<LoadedExperiments> loaded;
  for (const FilePair& pair : pairs) {
    loaded.push_back({pair, io::read_experiments(pair.experiments), {}});
    auto& experiments = loaded.back().experiments;
    loaded.back().spectra.resize(experiments.size());
    for (models::Experiment& experiment : experiments) {
      core::require(experiment.crystal.has_value(),
                    "experiment '{}' in '{}' has no crystal (not indexed?)", experiment.identifier,
                    pair.experiments);
      if (!keep_detectors) experiment.detector.reset();
    }
    for (const auto& [number, spectrum] : pair.spectra) {
      core::require(number >= 0 && static_cast<std::size_t>(number) < experiments.size(),
                    "'{}' has no experiment {} ({} experiments; named in the list of shots)",
                    pair.experiments, number, experiments.size());
      if (!spectrum.empty())
        loaded.back().spectra[static_cast<std::size_t>(number)] = io::read_spectrum(spectrum);
    }
  }
  return loaded;
}

std::vector<FilePair> pairs_of_list(const std::string& list) {
  std::map<std::string, FilePair> pairs;
  for (const io::ListedShot& shot : io::read_shot_list(list)) {
    FilePair& pair = pairs[shot.experiments];
    core::require(pair.reflections.empty() || pair.reflections == shot.reflections,
                  "'{}' comes with '{}' in line {} of '{}' but with '{}' before (the reflections "
                  "of one .expt are in one .refl)",
                  shot.experiments, shot.reflections, shot.line, list, pair.reflections);
    pair.experiments = shot.experiments;
    pair.reflections = shot.reflections;
    pair.whole = false;
    const int number = shot.experiment.value_or(0);
    core::require(pair.spectra.emplace(number, shot.spectrum).second,
                  "experiment {} of '{}' comes twice (line {} of '{}')", number, shot.experiments,
                  shot.line, list);
  }
  std::vector<FilePair> result;
  for (auto& [path, pair] : pairs) result.push_back(std::move(pair));
  return result;
}

merging::ConversionCounts load_observations(const std::vector<LoadedExperiments>& loaded,
                                            const merging::ConversionParams& params,
                                            merging::Observations& observations) {
  merging::ConversionCounts counts;
  std::vector<models::Miller> hkl;
  std::vector<double> intensity, variance;
  for (const LoadedExperiments& file : loaded) {
    const models::ReflectionTable table = io::read_reflections(file.files.reflections);
    require_columns(table, file.files.reflections);
    const auto& all_hkl = table.get<models::Miller>("miller_index");
    const auto& all_intensity = table.get<double>("intensity.sum.value");
    const auto& all_variance = table.get<double>("intensity.sum.variance");
    const auto rows = rows_by_experiment(table, file);
    for (std::size_t e = 0; e < rows.size(); ++e) {
      if (!file.takes(e)) continue;
      hkl.clear(), intensity.clear(), variance.clear();
      for (const std::size_t row : rows[e]) {
        hkl.push_back(all_hkl[row]);
        intensity.push_back(all_intensity[row]);
        variance.push_back(all_variance[row]);
      }
      counts += merging::append_lattice(observations, file.experiments[e],
                                        {hkl, intensity, variance}, params);
    }
  }
  observations.shrink();
  return counts;
}

} // namespace kilobragg::programs
