// Writes .expt files, each model once, a model to a line.
#include "model_json.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"

#include <filesystem>
#include <unordered_map>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;
using models::Experiment;

/// Models of one kind as JSON texts; the same text is kept once.
class ModelList {
public:
  /// Position of `model` in the list.
  std::size_t add(const Json& model) { return add_text(model.dump()); }
  /// The same for a model that certainly differs from all others.
  std::size_t add_unique(const Json& model) {
    append(model.dump());
    return count_++;
  }
  const std::string& text() const { return text_; }

private:
  std::size_t add_text(std::string model) {
    const auto [it, is_new] = positions_.try_emplace(std::move(model), count_);
    if (is_new) {
      append(it->first);
      ++count_;
    }
    return it->second;
  }
  void append(const std::string& model) {
    if (!text_.empty()) text_ += ",\n";
    text_ += model;
  }
  std::unordered_map<std::string, std::size_t> positions_;
  std::string text_;
  std::size_t count_ = 0;
};

Json imageset_to_json(const models::ImageSource& source, const fs::path& directory) {
  const fs::path image = fs::absolute(source.path).lexically_normal();
  // Empty where the two share no root.
  const fs::path relative = image.lexically_relative(directory);
  Json json = {{"__id__", "ImageSet"},
               {"images", {(relative.empty() ? image : relative).string()}}};
  if (!source.dataset.empty() || source.frame > 0) json["single_file_indices"] = {source.frame};
  for (const char* key : {"mask", "gain", "pedestal", "dx", "dy"}) json[key] = nullptr;
  json["params"] = {{"kilobragg",
                     {{"absolute_images", {image.string()}},
                      {"datasets", {source.dataset}},
                      {"content_ids", {source.content_id}}}}};
  return json;
}

} // namespace

struct ExperimentListWriter::State {
  fs::path directory;
  std::size_t size = 0;
  std::string experiments;
  ModelList imagesets, beams, detectors, crystals, profiles;
  /// Detectors seen, to turn each into JSON once. Kept alive, so that no address comes twice.
  std::unordered_map<std::shared_ptr<const models::Detector>, std::size_t> known_detectors;

  std::size_t add_detector(const std::shared_ptr<const models::Detector>& detector) {
    const auto known = known_detectors.find(detector);
    if (known != known_detectors.end()) return known->second;
    return known_detectors[detector] = detectors.add(detector_to_json(*detector));
  }
};

ExperimentListWriter::ExperimentListWriter(const std::string& directory)
    : state_(std::make_unique<State>()) {
  state_->directory = fs::absolute(directory).lexically_normal();
}
ExperimentListWriter::~ExperimentListWriter() = default;
ExperimentListWriter::ExperimentListWriter(ExperimentListWriter&&) noexcept = default;

std::size_t ExperimentListWriter::size() const { return state_->size; }

void ExperimentListWriter::add(const Experiment& experiment) {
  State& s = *state_;
  Json json = {{"__id__", "Experiment"}, {"identifier", experiment.identifier}};
  json["beam"] = s.beams.add(beam_to_json(experiment.beam));
  if (experiment.detector) json["detector"] = s.add_detector(experiment.detector);
  if (experiment.crystal)
    json["crystal"] = s.crystals.add_unique(crystal_to_json(*experiment.crystal));
  if (experiment.profile) json["profile"] = s.profiles.add(profile_to_json(*experiment.profile));
  if (!experiment.source.path.empty())
    json["imageset"] = s.imagesets.add(imageset_to_json(experiment.source, s.directory));
  if (s.size++ > 0) s.experiments += ",\n";
  s.experiments += json.dump();
}

std::string ExperimentListWriter::text() const {
  const State& s = *state_;
  std::string text = "{\"__id__\": \"ExperimentList\"";
  const auto section = [&text](const char* name, const std::string& models) {
    text += fmt::format(",\n\"{}\": [", name);
    text += models.empty() ? "]" : "\n" + models + "\n]";
  };
  section("experiment", s.experiments);
  section("imageset", s.imagesets.text());
  section("beam", s.beams.text());
  section("detector", s.detectors.text());
  section("goniometer", "");
  section("scan", "");
  section("crystal", s.crystals.text());
  section("profile", s.profiles.text());
  section("scaling_model", "");
  return text + "\n}\n";
}

void ExperimentListWriter::write(const std::string& path) const { core::write_file(path, text()); }

std::string format_experiments(const std::vector<Experiment>& experiments,
                               const std::string& directory) {
  ExperimentListWriter writer(directory);
  for (const Experiment& experiment : experiments) writer.add(experiment);
  return writer.text();
}

void write_experiments(const std::vector<Experiment>& experiments, const std::string& path) {
  core::write_file(path, format_experiments(experiments, fs::path(path).parent_path().string()));
}

} // namespace kilobragg::io
