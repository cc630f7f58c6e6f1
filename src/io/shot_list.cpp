// Lists of shots and spectrum files of diffBragg.
#include "kilobragg/io/shot_list.hpp"

#include "text_lines.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;

template <typename Number>
std::optional<Number> number_of(const std::string& word) {
  const char* first = word.data();
  const char* last = first + word.size();
  if (first != last && *first == '+') ++first;
  Number value{};
  const auto [end, error] = std::from_chars(first, last, value);
  if (error != std::errc() || end != last) return std::nullopt;
  return value;
}

bool is_none(const std::string& word) { return word == "None" || word == "none"; }

/// Paths of one list; each file is looked for once, however many lines name it.
class ListedFiles {
public:
  explicit ListedFiles(const std::string& list)
      : list_(list)
      , folder_(fs::path(list).parent_path()) {}

  std::string locate(const std::string& name, int line) {
    std::string path = (folder_ / name).lexically_normal().string();
    if (found_.count(path) != 0) return path;
    core::require(fs::is_regular_file(path), "{} line {}: cannot read {} (no such file)", list_,
                  line, path);
    found_.insert(path);
    return path;
  }

private:
  std::string list_;
  fs::path folder_;
  std::set<std::string> found_;
};

ListedShot shot_of(const TextLine& line, ListedFiles& files, const std::string& list) {
  const auto& words = line.words;
  core::require(words.size() >= 2 && words.size() <= 4,
                "{} line {}: {} words instead of two to four (experiment.expt reflections.refl "
                "[spectrum.lam|None] [exp_idx]; are there blanks in a path?)",
                list, line.number, words.size());
  ListedShot shot{.experiments = files.locate(words[0], line.number),
                  .reflections = files.locate(words[1], line.number),
                  .line = line.number};
  bool has_spectrum = false;
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (const auto number = number_of<int>(words[i])) {
      core::require(!shot.experiment && *number >= 0,
                    "{} line {}: '{}' is no number of an experiment (one number from 0 on)", list,
                    line.number, words[i]);
      shot.experiment = number;
      continue;
    }
    core::require(!has_spectrum,
                  "{} line {}: '{}' is no number of an experiment (a spectrum is there already)",
                  list, line.number, words[i]);
    has_spectrum = true;
    if (!is_none(words[i])) shot.spectrum = files.locate(words[i], line.number);
  }
  return shot;
}

void add_channel(const TextLine& line, const std::string& path, models::Spectrum& spectrum) {
  const auto& words = line.words;
  const auto wavelength = number_of<double>(words[0]);
  const auto weight = words.size() == 2 ? number_of<double>(words[1]) : std::nullopt;
  core::require(wavelength && weight,
                "{} line {}: not two numbers (wavelength in angstrom, weight)", path, line.number);
  core::require(std::isfinite(*wavelength) && *wavelength > 0,
                "{} line {}: wavelength {} (it must be positive, in angstrom)", path, line.number,
                *wavelength);
  core::require(std::isfinite(*weight) && *weight >= 0,
                "{} line {}: weight {} (it must not be negative; subtract less, or set it to 0)",
                path, line.number, *weight);
  spectrum.wavelengths.push_back(*wavelength);
  spectrum.weights.push_back(*weight);
}

bool is_heading(const TextLine& line) {
  for (const std::string& word : line.words)
    if (number_of<double>(word)) return false;
  return true;
}

} // namespace

std::vector<ListedShot> read_shot_list(const std::string& path) {
  const std::string text = core::read_text_file(path);
  ListedFiles files(path);
  std::vector<ListedShot> shots;
  for (const TextLine& line : lines_of_words(text)) shots.push_back(shot_of(line, files, path));
  core::require(!shots.empty(),
                "{} lists no shot (lines of experiment.expt reflections.refl "
                "[spectrum.lam|None] [exp_idx])",
                path);
  return shots;
}

models::Spectrum read_spectrum(const std::string& path) {
  models::Spectrum spectrum;
  const auto lines = lines_of_words(core::read_text_file(path), ",");
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (i > 0 || !is_heading(lines[i])) add_channel(lines[i], path, spectrum);
  double sum = 0;
  for (const double weight : spectrum.weights) sum += weight;
  core::require(sum > 0, "{} is no spectrum (none of its {} weights is positive)", path,
                spectrum.weights.size());
  return spectrum;
}

} // namespace kilobragg::io
