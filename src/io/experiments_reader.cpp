// Reads .expt files.
#include "expt_reader.hpp"
#include "model_json.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/experiments.hpp"

#include <map>
#include <unordered_map>

namespace kilobragg::io {
namespace {

using models::Experiment;
using models::ImageSource;

/// "x_####.cbf" with 7 is "x_0007.cbf"; without # the template itself.
std::string fill_template(const std::string& pattern, std::int64_t number) {
  const auto first = pattern.find('#');
  if (first == std::string::npos) return pattern;
  const auto last = pattern.find_last_of('#');
  return pattern.substr(0, first) + fmt::format("{:0{}d}", number, last - first + 1) +
         pattern.substr(last + 1);
}

class ListReader {
public:
  ListReader(const Json& root, const std::string& name, const ImageSearch& search)
      : root_(root)
      , name_(name)
      , search_(search) {}

  std::vector<Experiment> read() {
    if (!root_.is_object() || root_.value("__id__", "") != "ExperimentList")
      core::fail("{} is no experiment list (its \"__id__\" is not \"ExperimentList\")", name_);
    const JsonPlace list = JsonPlace{root_, name_}.need("experiment");
    if (!list.value.is_array()) list.bad("is no list");
    for (const Json& entry : list.value)
      if (entry.is_object() && entry.contains("imageset") && entry["imageset"].is_number_integer())
        ++users_[entry["imageset"].get<std::int64_t>()];
    std::vector<Experiment> experiments;
    for (std::size_t i = 0; i < list.value.size(); ++i)
      add({list.value.at(i), fmt::format("{}: experiment {}", name_, i)}, experiments);
    return experiments;
  }
  /// What the list said of the images of read(), by path.
  std::map<std::string, ImagePointer> take_pointers() { return std::move(pointers_); }

private:
  /// The model that `experiment` names under `key`; none if it names none.
  std::optional<JsonPlace> model(const JsonPlace& experiment, const char* key,
                                 std::int64_t* index = nullptr) const {
    if (!experiment.has(key)) return std::nullopt;
    const auto position = experiment.get<std::int64_t>(key);
    if (position < 0) return std::nullopt; // old writers: -1 for none
    const JsonPlace list = JsonPlace{root_, name_}.need(key);
    if (!list.value.is_array() || position >= static_cast<std::int64_t>(list.value.size()))
      experiment.bad(fmt::format("names {} {} of {}", key, position, list.value.size()));
    if (index) *index = position;
    return JsonPlace{list.value.at(static_cast<std::size_t>(position)),
                     fmt::format("{}: {} {}", name_, key, position)};
  }

  std::shared_ptr<const models::Detector> detector(const JsonPlace& experiment) {
    std::int64_t index = 0;
    const auto place = model(experiment, "detector", &index);
    if (!place) experiment.bad("has no 'detector'");
    auto& known = detectors_[index];
    if (known) return known;
    // DIALS writes a detector per image even where all are the same.
    auto& same = distinct_[place->value];
    if (!same) same = std::make_shared<models::Detector>(detector_from_json(*place));
    return known = same;
  }

  void add(const JsonPlace& place, std::vector<Experiment>& experiments) {
    Experiment e;
    e.identifier = place.get_or<std::string>("identifier", "");
    const auto beam = model(place, "beam");
    if (!beam) place.bad("has no 'beam'");
    e.beam = beam_from_json(*beam);
    e.detector = detector(place);
    if (const auto crystal = model(place, "crystal")) e.crystal = crystal_from_json(*crystal);
    if (const auto profile = model(place, "profile")) e.profile = profile_from_json(*profile);
    std::int64_t index = 0;
    const auto imageset = model(place, "imageset", &index);
    if (!imageset) {
      experiments.push_back(std::move(e));
      return;
    }
    const std::vector<ImageSource>& images = sources(*imageset, index, model(place, "scan"));
    const bool one_of_many = users_[index] > 1 && users_[index] == images.size();
    const bool all = users_[index] == 1 && !e.crystal;
    const std::size_t first = one_of_many ? taken_[index]++ : 0;
    const std::size_t count = all ? images.size() : std::min<std::size_t>(1, images.size());
    for (std::size_t i = first; i < first + count; ++i) {
      e.source = images[i];
      experiments.push_back(e);
    }
  }

  const std::vector<ImageSource>& sources(const JsonPlace& set, std::int64_t index,
                                          const std::optional<JsonPlace>& scan) {
    auto& known = sources_[index];
    if (known.empty()) {
      known = set.has("images") ? listed(set) : from_template(set, scan);
      if (known.empty()) set.bad("has no images");
    }
    return known;
  }

  std::vector<ImageSource> listed(const JsonPlace& set) {
    const auto paths = set.get<std::vector<std::string>>("images");
    const auto frames = set.get_or("single_file_indices", std::vector<std::int64_t>());
    if (!frames.empty() && frames.size() != paths.size())
      set.bad("has 'images' and 'single_file_indices' of different lengths");
    std::vector<std::string> absolute, datasets, content_ids;
    if (set.has("params") && set.need("params").has("kilobragg")) {
      const JsonPlace own = set.need("params").need("kilobragg");
      absolute = own.get_or("absolute_images", absolute);
      datasets = own.get_or("datasets", datasets);
      content_ids = own.get_or("content_ids", content_ids);
    }
    std::vector<ImageSource> images(paths.size());
    for (std::size_t i = 0; i < paths.size(); ++i) {
      images[i].path = locate(paths[i], i < absolute.size() ? absolute[i] : "");
      if (i < frames.size()) images[i].frame = frames[i];
      if (i < datasets.size()) images[i].dataset = datasets[i];
      if (i < content_ids.size()) images[i].content_id = content_ids[i];
    }
    return images;
  }

  /// Sequences name files by a pattern, or one file with all frames, and number them by a scan.
  std::vector<ImageSource> from_template(const JsonPlace& set,
                                         const std::optional<JsonPlace>& scan) {
    const auto pattern = set.get<std::string>("template");
    std::array<std::int64_t, 2> range{1, 1};
    if (scan) range = scan->get<std::array<std::int64_t, 2>>("image_range");
    if (range[1] < range[0] || range[1] - range[0] > 100'000'000)
      scan->bad(fmt::format("has image_range {} to {}", range[0], range[1]));
    const bool one_file = pattern.find('#') == std::string::npos;
    std::vector<ImageSource> images;
    for (std::int64_t number = range[0]; number <= range[1]; ++number) {
      ImageSource source;
      source.path = locate(fill_template(pattern, number), "");
      if (one_file) source.frame = number - 1;
      images.push_back(std::move(source));
    }
    return images;
  }

  /// Where the image is likely to be. That nothing is there is no error: only those who read pixels
  /// need the file.
  std::string locate(const std::string& written, const std::string& absolute) {
    const auto [it, is_new] = located_.try_emplace({written, absolute});
    if (is_new) {
      const ImagePointer pointer{name_, written, absolute, ""};
      it->second = likely_image(pointer, search_);
      pointers_.try_emplace(it->second, pointer);
    }
    return it->second;
  }

  const Json& root_;
  std::string name_;
  ImageSearch search_;
  std::map<std::int64_t, std::size_t> users_, taken_; ///< experiments per image set
  std::map<std::int64_t, std::shared_ptr<const models::Detector>> detectors_;
  std::unordered_map<Json, std::shared_ptr<const models::Detector>> distinct_;
  std::map<std::int64_t, std::vector<ImageSource>> sources_;
  std::map<std::pair<std::string, std::string>, std::string> located_; ///< by written, absolute
  std::map<std::string, ImagePointer> pointers_;
};

PointedExperiments parse_pointed(const std::string& text, const std::string& name,
                                 const ImageSearch& search) {
  Json root;
  try {
    root = Json::parse(text);
  } catch (const Json::parse_error& error) {
    core::fail("{} is no JSON ({})", name, error.what());
  }
  ListReader reader(root, name, search);
  std::vector<Experiment> experiments = reader.read();
  return {std::move(experiments), reader.take_pointers()};
}

} // namespace

std::vector<Experiment> parse_experiments(const std::string& text, const std::string& name) {
  return parse_pointed(text, name, {}).experiments;
}

PointedExperiments parse_pointed_experiments(const std::string& text, const std::string& path,
                                             const ImageSearch& search) {
  return parse_pointed(text, path, search);
}

std::vector<Experiment> read_experiments(const std::string& path) {
  return parse_experiments(core::read_text_file(path), path);
}

} // namespace kilobragg::io
