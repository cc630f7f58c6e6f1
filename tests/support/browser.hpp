// Chromium without a window for tests: what a page measures in it, and how it looks.
#pragma once

#include "support/temporary_folder.hpp"

#include "kilobragg/core/files.hpp"

#include <sys/wait.h>

#include <cstdlib>
#include <map>
#include <sstream>
#include <string>

namespace kilobragg::testing {

/// The browser's program, empty if there is none.
inline std::string browser_program() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (std::system((std::string("command -v ") + name + " > /dev/null 2>&1").c_str()) == 0)
      return name;
  return {};
}

/// A page shown in a frame of `width`, and what it measures there.
inline std::string measuring_page(const std::string& report, int width) {
  return R"(<!DOCTYPE html><html><body style="margin:0"><iframe id="frame" src="file://)" + report +
         R"(" style="border:0;height:900px;width:)" + std::to_string(width) +
         R"(px"></iframe><pre id="measured"></pre><script>
addEventListener('load', () => {
  const page = document.getElementById('frame').contentDocument;
  const view = document.getElementById('frame').contentWindow;
  const found = {};
  found.scroll_width = page.scrollingElement.scrollWidth;
  found.height = page.scrollingElement.scrollHeight;
  found.resources = view.performance.getEntriesByType('resource')
    .filter(entry => !entry.name.startsWith('data:')).length;
  for (const section of page.querySelectorAll('section'))
    found['section_' + section.id] = Math.round(section.getBoundingClientRect().height);
  const shown = [...page.querySelectorAll('svg.plot')].filter(s => s.getBoundingClientRect().width);
  found.plots = shown.length;
  found.columns = new Set([...page.querySelectorAll('.grid > figure:not(.full)')]
    .map(f => Math.round(f.getBoundingClientRect().left))).size;
  found.pictures = [...page.querySelectorAll('svg.still image')]
    .filter(i => i.getBoundingClientRect().width > 100).length;
  found.smallest_text = 99; found.clipped = 0; found.overlaps = 0; found.which = '';
  for (const tile of page.querySelectorAll('.tile b, td, th, h3'))
    if (tile.scrollWidth > tile.clientWidth + 1 && tile.clientWidth > 0) {
      ++found.clipped; found.which += ' [' + tile.textContent + ']';
    }
  for (const svg of shown) {
    const frame = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll('text')].map(text => {
      const size = parseFloat(view.getComputedStyle(text).fontSize) * text.getScreenCTM().d;
      if (text.transform.baseVal.numberOfItems === 0)
        found.smallest_text = Math.min(found.smallest_text, size);
      return [text.getBoundingClientRect(), text.textContent];
    });
    for (const [box, word] of boxes)
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
          box.bottom > frame.bottom + 1) { ++found.clipped; found.which += ' [' + word + ']'; }
    boxes.forEach(([a, one], i) => boxes.slice(i + 1).forEach(([b, two]) => {
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
          Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3) {
        ++found.overlaps; found.which += ' [' + one + '/' + two + ']';
      }
    }));
  }
  document.getElementById('measured').textContent =
    Object.entries(found).map(([key, value]) => '\n' + key + '=' + value).join('') + '\n';
});
</script></body></html>)";
}

class Browser {
public:
  explicit Browser(std::string program)
      : program_(std::move(program)) {}

  struct Measured {
    std::map<std::string, double> numbers;
    std::string which;   ///< texts that are clipped or overlap
    std::string console; ///< what the page wrote there: blocked or missing resources, errors
    std::string dom;
  };

  /// Opens `report` (absolute path) at a width in pixels. The script runs in a page around it.
  Measured measure(const std::string& report, int width) {
    core::write_file(folder_ / "measure.html", measuring_page(report, width));
    const std::string log = folder_ / "console.txt";
    run("--allow-file-access-from-files --enable-logging=stderr --dump-dom file://" +
            (folder_ / "measure.html"),
        folder_ / "dom.txt", log);
    Measured measured;
    measured.dom = core::read_text_file(folder_ / "dom.txt");
    std::istringstream lines(measured.dom);
    for (std::string line; std::getline(lines, line);) {
      const auto equals = line.find('=');
      if (line.rfind("which=", 0) == 0)
        measured.which = line.substr(6);
      else if (equals != std::string::npos && equals < 30)
        measured.numbers[line.substr(0, equals)] = std::atof(line.c_str() + equals + 1);
    }
    std::istringstream messages(core::read_text_file(log));
    for (std::string line; std::getline(messages, line);)
      if (line.find("CONSOLE") != std::string::npos) measured.console += line + '\n';
    return measured;
  }

  /// The page itself, without a script, as the browser understood it.
  std::string dom(const std::string& report) {
    run("--dump-dom file://" + report, folder_ / "dom.txt", "/dev/null");
    return core::read_text_file(folder_ / "dom.txt");
  }

  void screenshot(const std::string& report, int width, int height, const std::string& png) {
    run("--hide-scrollbars --window-size=" + std::to_string(width) + "," + std::to_string(height) +
            " --screenshot=" + png + " file://" + report,
        "/dev/null", "/dev/null");
  }

private:
  void run(const std::string& arguments, const std::string& out, const std::string& err) {
    const std::string command =
        "timeout 120 " + program_ + " --headless --no-sandbox --disable-gpu --disable-quic " +
        "--no-first-run --disable-background-networking --disable-component-update " +
        "--disable-sync --user-data-dir=" + (folder_ / ("profile" + std::to_string(++runs_))) +
        " " + arguments + " > " + out + " 2> " + err;
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

  std::string program_;
  TemporaryFolder folder_;
  int runs_ = 0;
};

} // namespace kilobragg::testing
