// Free flags of MTZ files, and flags from a hash of the index.
#include "kilobragg/io/free_flags.hpp"

#include "mtz_columns.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace kilobragg::io {
namespace {

using models::Miller;

/// As CCP4, Phenix, SHELX and converters label them, in small letters.
constexpr std::array usual_names{"freer_flag", "free",  "r-free-flags", "freerflag", "rfree",
                                 "rfreeflag",  "freer", "free_flag",    "freef_flag"};

std::string in_small_letters(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const gemmi::Mtz::Column& column_of(const gemmi::Mtz& mtz, const std::string& label,
                                    const std::string& path) {
  if (!label.empty()) {
    const auto* column = mtz.column_with_label(label);
    core::require(column != nullptr, "{} has no column '{}' (its columns are {})", path, label,
                  labels_of(mtz));
    return *column;
  }
  for (const char* name : usual_names)
    for (const auto& column : mtz.columns)
      if (in_small_letters(column.label) == name) return column;
  core::fail("{} has no free flags under a usual name (its columns are {}); which is it?", path,
             labels_of(mtz));
}

struct Flag {
  Miller hkl;
  int value;
};

std::vector<Flag> flags_of(const gemmi::Mtz& mtz, const gemmi::Mtz::Column& column,
                           const models::SpaceGroup& group, const std::string& path) {
  std::vector<Flag> flags;
  for (std::size_t row = 0; row < static_cast<std::size_t>(mtz.nreflections); ++row) {
    const float* cells = mtz.data.data() + row * mtz.columns.size();
    const auto index = [&](int i) { return static_cast<int>(std::lround(cells[i])); };
    const float value = cells[column.idx];
    if (std::isnan(value) || value == mtz.valm) continue;
    core::require(
        value >= 0 && value < 1e6F && value == std::floor(value),
        "column '{}' of {} has {} for index {} {} {} (free flags are whole numbers from 0 "
        "on)",
        column.label, path, value, index(0), index(1), index(2));
    flags.push_back({group.to_asu({index(0), index(1), index(2)}), static_cast<int>(value)});
  }
  std::stable_sort(flags.begin(), flags.end(),
                   [](const Flag& a, const Flag& b) { return a.hkl < b.hkl; });
  return flags;
}

} // namespace

FreeFlags read_free_flags_mtz(const std::string& path, const models::SpaceGroup& group,
                              const std::string& column) {
  const gemmi::Mtz mtz = load_merged_mtz(path);
  const gemmi::Mtz::Column& chosen = column_of(mtz, column, path);
  const models::SpaceGroup own(mtz.spacegroup->hall);
  core::require(own.patterson() == group.patterson(),
                "the free flags of {} are for space group {} (not for the symmetry of {})", path,
                own.hm(), group.hm());
  FreeFlags result;
  result.space_group = group;
  result.column = chosen.label;
  for (const Flag& flag : flags_of(mtz, chosen, group, path)) {
    if (!result.hkl.empty() && result.hkl.back() == flag.hkl) {
      core::require(
          result.flag.back() == flag.value,
          "{} flags {} {} {} and an equivalent index differently ({} and {} in column '{}')", path,
          flag.hkl.h, flag.hkl.k, flag.hkl.l, result.flag.back(), flag.value, chosen.label);
      continue;
    }
    result.hkl.push_back(flag.hkl);
    result.flag.push_back(flag.value);
  }
  return result;
}

CarriedFlags carry_over(const FreeFlags& flags, std::span<const Miller> hkl) {
  CarriedFlags carried;
  for (const Miller& index : hkl) {
    const Miller unique = flags.space_group.to_asu(index);
    const auto at = std::lower_bound(flags.hkl.begin(), flags.hkl.end(), unique);
    const bool known = at != flags.hkl.end() && *at == unique;
    carried.flag.push_back(known ? flags.flag[static_cast<std::size_t>(at - flags.hkl.begin())]
                                 : -1);
    carried.missing += known ? 0 : 1;
  }
  return carried;
}

int made_free_flag(const models::SpaceGroup& group, const Miller& hkl, double fraction) {
  core::require(fraction > 0 && fraction <= 0.5,
                "free flags for a fraction of {} (it must be above 0 and at most 0.5)", fraction);
  const auto groups = static_cast<unsigned long>(std::lround(1 / fraction));
  const Miller unique = group.to_asu(hkl);
  const std::string digest = core::md5_hex(fmt::format("{} {} {}", unique.h, unique.k, unique.l));
  return static_cast<int>(std::stoul(digest.substr(0, 8), nullptr, 16) % groups);
}

} // namespace kilobragg::io
