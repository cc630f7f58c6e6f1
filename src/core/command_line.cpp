// Command lines: flags through Boost.Program_options, everything else by its shape.
#include "common_flags.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/nearest_names.hpp"
#include "kilobragg/core/options.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace kilobragg::core {
namespace {

namespace po = boost::program_options;

po::options_description flags(const OptionSet& options) {
  po::options_description description("Flags");
  auto add = description.add_options();
  add("help,h", "show this text");
  add("version", "show the version");
  add("show-config,c", "show the options in effect as phil and stop");
  add("config", po::value<std::vector<std::string>>()->composing(),
      "read options from a phil file");
  add("log-level", po::value<std::string>()->default_value("info"),
      "debug, info, warning or error");
  add("verbose,v", "the same as --log-level debug");
  add("quiet,q", "the same as --log-level warning");
  for (const Flag& flag : options.flags())
    if (flag.takes_value)
      add(flag.name.c_str(), po::value<std::vector<std::string>>()->composing(), flag.help.c_str());
    else
      add(flag.name.c_str(), flag.help.c_str());
  return description;
}

std::vector<std::string> flag_names(const OptionSet& options) {
  std::vector<std::string> names;
  names.reserve(std::size(common_flags) + options.flags().size());
  for (const char* name : common_flags) names.push_back(fmt::format("--{}", name));
  for (const Flag& flag : options.flags()) names.push_back("--" + flag.name);
  return names;
}

po::variables_map parse_flags(int argc, const char* const* argv, const OptionSet& options) {
  po::options_description all = flags(options);
  all.add_options()("input", po::value<std::vector<std::string>>()->composing());
  po::positional_options_description positional;
  positional.add("input", -1);
  po::variables_map found;
  try {
    po::store(
        po::command_line_parser(argc, argv)
            .options(all)
            .positional(positional)
            .style(po::command_line_style::default_style & ~po::command_line_style::allow_guessing)
            .run(),
        found);
  } catch (const po::unknown_option& error) {
    const auto near = nearest_names(error.get_option_name(), flag_names(options));
    if (near.empty()) fail("unknown flag '{}' (command line) see --help", error.get_option_name());
    fail("unknown flag '{}' (command line) did you mean {}?", error.get_option_name(),
         near.front());
  } catch (const po::error& error) {
    fail("cannot read the command line ({}) see --help", error.what());
  }
  return found;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  require(file.is_open() && !std::filesystem::is_directory(path),
          "cannot read the option file '{}' (no such file, or no permission)", path);
  text << file.rdbuf();
  return text.str();
}

bool is_phil_file(const std::string& argument) {
  const auto extension = std::filesystem::path(argument).extension();
  return extension == ".phil" || extension == ".eff";
}

/// name=value with a name that an option could have; a file that exists under this name is a file.
bool is_assignment(const std::string& argument) {
  const auto letter = [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
  };
  const auto in_name = [letter](char c) {
    return letter(c) || c == '.' || std::isdigit(static_cast<unsigned char>(c));
  };
  if (argument.empty() || !letter(argument[0])) return false;
  auto end = std::find_if_not(argument.begin(), argument.end(), in_name);
  end = std::find_if_not(end, argument.end(), [](char c) { return c == ' ' || c == '\t'; });
  return end != argument.end() && *end == '=' && !std::filesystem::exists(argument);
}

std::string without_blanks(const std::string& text) {
  const auto last = text.find_last_not_of(" \t");
  return last == std::string::npos ? "" : text.substr(0, last + 1);
}

/// The options that flags of the program stand for.
void set_by_flags(const po::variables_map& found, OptionSet& options) {
  for (const Flag& flag : options.flags()) {
    if (found.count(flag.name) == 0) continue;
    const std::string where = "--" + flag.name;
    if (!flag.takes_value) {
      options.set(flag.option, "True", where);
      continue;
    }
    for (const auto& value : found[flag.name].as<std::vector<std::string>>())
      options.set(flag.option, value, where);
  }
}

} // namespace

CommandLine parse_command_line(int argc, const char* const* argv, OptionSet& options) {
  const po::variables_map found = parse_flags(argc, argv, options);
  CommandLine line;
  line.help = found.count("help") > 0;
  line.version = found.count("version") > 0;
  line.show_config = found.count("show-config") > 0;
  line.log_level = found.count("verbose") ? "debug"
                   : found.count("quiet") ? "warning"
                                          : found["log-level"].as<std::string>();
  std::vector<std::string> files, assignments;
  if (found.count("config")) files = found["config"].as<std::vector<std::string>>();
  if (found.count("input"))
    for (const auto& argument : found["input"].as<std::vector<std::string>>())
      (is_phil_file(argument)    ? files
       : is_assignment(argument) ? assignments
                                 : line.inputs)
          .push_back(argument);
  for (const auto& path : files) options.parse_phil(read_text(path), path);
  for (const auto& text : assignments) {
    const auto equals = text.find('=');
    options.set(without_blanks(text.substr(0, equals)), text.substr(equals + 1), "command line");
  }
  set_by_flags(found, options);
  return line;
}

std::string flag_help(const OptionSet& options) {
  std::ostringstream text;
  text << flags(options);
  return text.str();
}

} // namespace kilobragg::core
