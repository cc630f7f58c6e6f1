// Reads CrystFEL streams and geometries by their own rules, for tests.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::testing {

/// A panel as CrystFEL understands its lines: positions in metres.
struct StreamPanel {
  double min_fs = 0, min_ss = 0, corner_x = 0, corner_y = 0, coffset = 0, res = 0;
  Vec3 fs{0, 0, 0}, ss{0, 0, 0};
};

struct StreamReflection {
  int h = 0, k = 0, l = 0;
  double intensity = 0, sigma = 0, peak = 0, background = 0, fs = 0, ss = 0;
  std::string panel;
};

struct StreamCrystal {
  Vec3 astar{0, 0, 0}, bstar{0, 0, 0}, cstar{0, 0, 0}; ///< 1/nm
  std::array<double, 6> cell{};                        ///< nm, degrees
  std::vector<StreamReflection> reflections;
};

struct StreamChunk {
  std::string filename, event;
  double photon_energy = 0;
  int peaks = 0;
  std::vector<StreamCrystal> crystals;
};

/// "+1.5x -2y +0.1z"
inline Vec3 vector_of(const std::string& text) {
  Vec3 v{0, 0, 0};
  EXPECT_EQ(std::sscanf(text.c_str(), "%lfx %lfy %lfz", &v.x, &v.y, &v.z), 3) << text;
  return v;
}

/// A CrystFEL geometry, from its text.
struct StreamGeometry {
  std::map<std::string, std::string> values; ///< of every line "key = value"
  std::map<std::string, StreamPanel> panels;
  double clen = 0; ///< m

  void take(const std::string& line) {
    const auto equals = line.find(" = ");
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 3);
  }

  /// After the last line.
  void finish() {
    clen = std::stod(values.at("clen"));
    for (const auto& [key, value] : values) {
      const auto slash = key.find('/');
      if (slash == std::string::npos || key.rfind("bad", 0) == 0) continue;
      StreamPanel& panel = panels[key.substr(0, slash)];
      if (values.count("res") != 0) panel.res = std::stod(values.at("res"));
      set(panel, key.substr(slash + 1), value);
    }
  }

private:
  static void set(StreamPanel& panel, const std::string& name, const std::string& value) {
    if (name == "fs") panel.fs = vector_of(value);
    if (name == "ss") panel.ss = vector_of(value);
    for (const auto& [word, number] :
         std::initializer_list<std::pair<const char*, double*>>{{"min_fs", &panel.min_fs},
                                                                {"min_ss", &panel.min_ss},
                                                                {"corner_x", &panel.corner_x},
                                                                {"corner_y", &panel.corner_y},
                                                                {"coffset", &panel.coffset},
                                                                {"res", &panel.res}})
      if (name == word) *number = std::stod(value);
  }
};

/// Reads a stream line by line, knowing the format alone.
struct ParsedStream {
  StreamGeometry geometry;
  std::vector<StreamChunk> chunks;

  explicit ParsedStream(const std::string& text) {
    std::istringstream lines(text);
    std::string line, part;
    std::getline(lines, line);
    EXPECT_EQ(line, "CrystFEL stream format 2.3");
    while (std::getline(lines, line)) {
      EXPECT_LT(line.size(), 1000u) << "CrystFEL reads lines up to 1023 bytes";
      if (line.rfind("-----", 0) == 0 || line.rfind("--- ", 0) == 0)
        mark(line);
      else
        take(line);
    }
    geometry.finish();
  }

private:
  enum class Part { Header, Geometry, Cell, Chunk, Peaks, Crystal, Reflections } part_{};

  void mark(const std::string& line) {
    if (line == "----- Begin geometry file -----") part_ = Part::Geometry;
    if (line == "----- Begin unit cell -----") part_ = Part::Cell;
    if (line == "----- End geometry file -----" || line == "----- End unit cell -----")
      part_ = Part::Header;
    if (line == "----- Begin chunk -----") chunks.emplace_back(), part_ = Part::Chunk;
    if (line == "--- Begin crystal") chunks.back().crystals.emplace_back(), part_ = Part::Crystal;
    if (line == "--- End crystal") part_ = Part::Chunk;
  }

  void take(const std::string& line) {
    if (line == "Peaks from peak search") part_ = Part::Peaks;
    if (line == "Reflections measured after indexing") part_ = Part::Reflections;
    if (line == "End of peak list") part_ = Part::Chunk;
    if (line == "End of reflections") part_ = Part::Crystal;
    if (part_ == Part::Geometry) geometry.take(line);
    if (part_ == Part::Chunk) take_chunk(line, chunks.back());
    if (part_ == Part::Crystal) take_crystal(line, chunks.back().crystals.back());
    if (part_ == Part::Reflections) take_reflection(line, chunks.back().crystals.back());
  }

  void take_chunk(const std::string& line, StreamChunk& chunk) {
    if (line.rfind("Image filename: ", 0) == 0) chunk.filename = line.substr(16);
    if (line.rfind("Event: ", 0) == 0) chunk.event = line.substr(7);
    std::sscanf(line.c_str(), "photon_energy_eV = %lf", &chunk.photon_energy);
    std::sscanf(line.c_str(), "num_peaks = %d", &chunk.peaks);
  }

  void take_crystal(const std::string& line, StreamCrystal& crystal) {
    Vec3 v{0, 0, 0};
    char name = 0;
    if (std::sscanf(line.c_str(), "%cstar = %lf %lf %lf nm^-1", &name, &v.x, &v.y, &v.z) == 4)
      (name == 'a' ? crystal.astar : name == 'b' ? crystal.bstar : crystal.cstar) = v;
    auto& c = crystal.cell;
    std::sscanf(line.c_str(), "Cell parameters %lf %lf %lf nm, %lf %lf %lf deg", &c[0], &c[1],
                &c[2], &c[3], &c[4], &c[5]);
  }

  void take_reflection(const std::string& line, StreamCrystal& crystal) {
    StreamReflection r;
    std::istringstream in(line);
    if (in >> r.h >> r.k >> r.l >> r.intensity >> r.sigma >> r.peak >> r.background >> r.fs >>
        r.ss >> r.panel)
      crystal.reflections.push_back(r);
  }
};

} // namespace kilobragg::testing
