// Scattering tables: interpolation as nanoBragg's, reading, and the materials that are built in.
#include "kilobragg/diffraction/scattering_table.hpp"

#include "water.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace kilobragg::diffraction {
namespace {

/// Coefficients of 1, t, t^2, t^3 of the polynomial through (t[i], y[i]), i < n <= 4, by Newton's
/// divided differences.
std::array<double, 4> polynomial_through(const double* t, const double* y, std::size_t n) {
  std::array<double, 4> difference{};
  std::copy(y, y + n, difference.begin());
  for (std::size_t order = 1; order < n; ++order)
    for (std::size_t i = n - 1; i >= order; --i)
      difference[i] = (difference[i] - difference[i - 1]) / (t[i] - t[i - order]);
  std::array<double, 4> result{};
  for (std::size_t k = n; k-- > 0;) { // result = result (t - t[k]) + difference[k]
    for (std::size_t power = 3; power > 0; --power)
      result[power] = result[power - 1] - t[k] * result[power];
    result[0] = difference[k] - t[k] * result[0];
  }
  return result;
}

void check_nodes(const std::vector<double>& stol, const std::vector<double>& f) {
  core::require(!stol.empty() && stol.size() == f.size(),
                "scattering table with {} angles and {} amplitudes (as many of both are needed)",
                stol.size(), f.size());
  for (std::size_t i = 0; i < stol.size(); ++i)
    core::require(std::isfinite(stol[i]) && std::isfinite(f[i]) && stol[i] >= 0 &&
                      (i == 0 || stol[i] > stol[i - 1]),
                  "entry {} of a scattering table, {} {}, is not a number or not behind the one "
                  "before (sin(theta)/lambda must rise)",
                  i + 1, stol[i], f[i]);
}

} // namespace

ScatteringTable::ScatteringTable(std::vector<double> stol, std::vector<double> f)
    : stol_(std::move(stol))
    , f_(std::move(f)) {
  check_nodes(stol_, f_);
  for (std::size_t i = 0; i + 1 < stol_.size(); ++i) {
    const std::size_t first = i == 0 ? 0 : i - 1, last = std::min(i + 2, stol_.size() - 1);
    double t[4];
    for (std::size_t k = first; k <= last; ++k) t[k - first] = stol_[k] - stol_[i];
    cubic_.push_back(polynomial_through(t, f_.data() + first, last - first + 1));
  }
}

double ScatteringTable::f(double stol) const {
  if (!(stol > stol_.front())) return f_.front();
  if (stol >= stol_.back()) return f_.back();
  const auto above = std::upper_bound(stol_.begin(), stol_.end(), stol);
  const auto i = static_cast<std::size_t>(above - stol_.begin()) - 1;
  const double t = stol - stol_[i];
  const auto& c = cubic_[i];
  return c[0] + t * (c[1] + t * (c[2] + t * c[3]));
}

double ScatteringTable::intensity(double stol) const {
  const double amplitude = f(stol);
  return amplitude * std::abs(amplitude);
}

namespace {

/// The next number of `line`, which is taken off it; false where none is left.
bool take_number(std::string_view& line, double& value) {
  const std::size_t start = line.find_first_not_of(" \t\r,");
  if (start == std::string_view::npos) return false;
  line.remove_prefix(start);
  if (line.front() == '+') line.remove_prefix(1);
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc()) return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return line.empty() || std::string_view(" \t\r,").find(line.front()) != std::string_view::npos;
}

} // namespace

ScatteringTable parse_scattering_table(std::string_view text, const std::string& name) {
  std::vector<double> stol, f;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    double x = 0, y = 0;
    core::require(take_number(line, x) && take_number(line, y) &&
                      line.find_first_not_of(" \t\r") == std::string_view::npos,
                  "{}, line {}: two numbers are expected (sin(theta)/lambda in 1/angstrom, F in "
                  "electrons per molecule)",
                  name, number);
    core::require(x >= 0 && std::isfinite(x) && std::isfinite(y) &&
                      (stol.empty() || x > stol.back()),
                  "{}, line {}: sin(theta)/lambda {} does not follow {} (it must rise from line to "
                  "line, from 0 or more)",
                  name, number, x, stol.empty() ? 0.0 : stol.back());
    stol.push_back(x);
    f.push_back(y);
  }
  core::require(!stol.empty(), "{}: no scattering table (no line holds two numbers)", name);
  return {std::move(stol), std::move(f)};
}

ScatteringTable read_scattering_table(const std::string& path) {
  return parse_scattering_table(core::read_text_file(path), path);
}

ScatteringTable water_scattering() {
  std::vector<double> stol, f;
  for (const WaterPoint& point : water_points()) {
    stol.push_back(point.stol);
    f.push_back(point.f);
  }
  return {std::move(stol), std::move(f)};
}

} // namespace kilobragg::diffraction
