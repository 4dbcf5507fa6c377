#include "server/config.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "server/command/arg_reader.h"
#include "server/process_info.h"
#include "server/resp/words.h"

namespace verso::server {
namespace {

Error Invalid(std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

std::string Octal(int64_t value) {
  char digits[24];
  return std::string(digits, std::to_chars(digits, digits + sizeof(digits), value, 8).ptr);
}

// One source of directives (a file with what it includes, the command line): repeated directives
// add up within it.
class Source {
 public:
  explicit Source(LoadedConfig* config) : config_(config) {}

  Status Take(const std::string& name, const std::vector<std::string>& words) {
    const ConfigRow* row = FindConfigRow(name);
    if (row == nullptr) {
      if (!IsInertDirective(name)) return Invalid("Bad directive or wrong number of arguments");
      config_->warnings.push_back(name);
      return {};
    }
    const bool first = seen_.insert(std::string(row->name)).second;
    return SetConfig(*row, words, first, &config_->settings);
  }

  Status ReadText(std::string_view text, const std::string& file, int depth) {
    constexpr int kIncludeDepthMax = 16;
    if (depth > kIncludeDepthMax) return Invalid(file + ": too many nested includes");
    size_t at = 0;
    for (int line = 1; at < text.size(); ++line) {
      const size_t end = std::min(text.find('\n', at), text.size());
      std::string copy(text.substr(at, end - at));
      at = end + 1;
      const auto fault = [&](const std::string& why) {
        return Invalid("*** FATAL CONFIG FILE ERROR ***\nReading " + file + ", at line " +
                       std::to_string(line) + "\n>>> '" +
                       std::string(text.substr(end - copy.size(), copy.size())) + "'\n" + why);
      };
      const size_t begin = copy.find_first_not_of(" \t\r");
      if (begin == std::string::npos || copy[begin] == '#') continue;
      std::vector<std::string_view> views;
      std::string parsed = copy;
      if (!SplitWords(parsed.data(), parsed.data() + parsed.size(), &views)) {
        return fault("Unbalanced quotes in configuration line");
      }
      if (views.empty()) continue;
      const std::string name = Lower(views[0]);
      const std::vector<std::string> words(views.begin() + 1, views.end());
      if (name == "include" && words.size() == 1) {
        if (Status included = ReadFile(words[0], depth + 1); !included) {
          return Invalid(included.error().context + "\nincluded from " + file + ", line " +
                         std::to_string(line));
        }
        continue;
      }
      if (Status taken = Take(name, words); !taken) return fault(taken.error().context);
    }
    return {};
  }

  Status ReadFile(const std::string& path, int depth) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf() || in.peek() == std::ifstream::traits_type::eof())) {
      return Error{ErrorCode::kIo, "Fatal error, can't open config file '" + path + "'"};
    }
    return ReadText(text.str(), path, depth);
  }

 private:
  LoadedConfig* config_;
  std::set<std::string> seen_;
};

}  // namespace

bool ParseMemory(std::string_view text, uint64_t* bytes) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  uint64_t number = 0;
  if (digits == 0 || std::from_chars(text.data(), text.data() + digits, number).ec != std::errc()) {
    return false;
  }
  static constexpr std::pair<std::string_view, uint64_t> kUnits[] = {
      {"", 1},           {"b", 1},
      {"k", 1000},       {"kb", 1024},
      {"m", 1000000},    {"mb", 1024 * 1024},
      {"g", 1000000000}, {"gb", 1024 * 1024 * 1024}};
  for (const auto& [unit, factor] : kUnits) {
    if (EqualsIgnoreCase(text.substr(digits), unit)) {
      return !__builtin_mul_overflow(number, factor, bytes);
    }
  }
  return false;
}

std::string ConfigValue(const ConfigRow& row, const Settings& settings) {
  switch (row.kind) {
    case ConfigKind::kInteger:
      return std::to_string(settings.*std::get<int64_t Settings::*>(row.field));
    case ConfigKind::kOctal:
      return Octal(settings.*std::get<int64_t Settings::*>(row.field));
    case ConfigKind::kMemory:
      return std::to_string(settings.*std::get<uint64_t Settings::*>(row.field));
    case ConfigKind::kBool:
      return settings.*std::get<bool Settings::*>(row.field) ? "yes" : "no";
    case ConfigKind::kText:
    case ConfigKind::kSecret:
      return settings.*std::get<std::string Settings::*>(row.field);
    case ConfigKind::kChoice:
      return std::string(row.choices[settings.*std::get<int64_t Settings::*>(row.field)]);
    case ConfigKind::kSpecial:
      return std::get<const ConfigSpecial*>(row.field)->get(settings);
  }
  return "";
}

Status SetConfig(const ConfigRow& row, const std::vector<std::string>& words, bool first,
                 Settings* settings) {
  if (row.kind == ConfigKind::kSpecial) {
    const std::string why = std::get<const ConfigSpecial*>(row.field)->set(settings, words, first);
    if (!why.empty()) return Invalid(why);
    return {};
  }
  if (words.size() != 1) return Invalid("wrong number of arguments");
  const std::string& word = words[0];
  switch (row.kind) {
    case ConfigKind::kInteger:
    case ConfigKind::kOctal: {
      int64_t value = 0;
      if (row.kind == ConfigKind::kOctal) {
        const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), value, 8);
        if (fault != std::errc() || end != word.data() + word.size()) {
          return Invalid("argument couldn't be parsed into an integer");
        }
      } else if (!ParseInteger(word, &value)) {
        return Invalid("argument couldn't be parsed into an integer");
      }
      if (value < row.min || value > row.max) {
        return Invalid("argument must be between " + std::to_string(row.min) + " and " +
                       std::to_string(row.max) + " inclusive");
      }
      settings->*std::get<int64_t Settings::*>(row.field) = value;
      break;
    }
    case ConfigKind::kMemory: {
      uint64_t value = 0;
      if (!ParseMemory(word, &value)) return Invalid("argument must be a memory value");
      if (value < static_cast<uint64_t>(row.min) || value > static_cast<uint64_t>(row.max)) {
        return Invalid("argument must be between " + std::to_string(row.min) + " and " +
                       std::to_string(row.max) + " inclusive");
      }
      settings->*std::get<uint64_t Settings::*>(row.field) = value;
      break;
    }
    case ConfigKind::kBool:
      if (!EqualsIgnoreCase(word, "yes") && !EqualsIgnoreCase(word, "no")) {
        return Invalid("argument must be 'yes' or 'no'");
      }
      settings->*std::get<bool Settings::*>(row.field) = EqualsIgnoreCase(word, "yes");
      break;
    case ConfigKind::kText:
    case ConfigKind::kSecret:
      settings->*std::get<std::string Settings::*>(row.field) = word;
      break;
    case ConfigKind::kChoice: {
      int choice = 0;
      while (choice < row.choice_count && !EqualsIgnoreCase(word, row.choices[choice])) ++choice;
      if (choice == row.choice_count) {
        std::string known;
        for (int i = 0; i < row.choice_count; ++i) {
          known += (i == 0 ? "" : ", ") + std::string(row.choices[i]);
        }
        return Invalid("argument(s) must be one of the following: " + known);
      }
      settings->*std::get<int64_t Settings::*>(row.field) = choice;
      break;
    }
    case ConfigKind::kSpecial:
      break;
  }
  if (row.refuse != nullptr) {
    const std::string why = row.refuse(*settings);
    if (!why.empty()) return Invalid(why);
  }
  return {};
}

Status ReadConfigText(std::string_view text, const std::string& file, LoadedConfig* config) {
  return Source(config).ReadText(text, file, 0);
}

Settings DefaultSettings(uint64_t memory_limit) {
  Settings settings;
  // Room must be left for copies while a save runs, and for its child.
  settings.maxmemory = memory_limit / 10 * 7;
  return settings;
}

Result<LoadedConfig> LoadConfig(const std::vector<std::string>& arguments) {
  LoadedConfig config;
  config.settings = DefaultSettings();
  size_t next = 0;
  if (!arguments.empty() && !arguments[0].starts_with("--")) {
    VERSO_TRY_STATUS(Source(&config).ReadFile(arguments[0], 0));
    char absolute[PATH_MAX];
    config.file = realpath(arguments[0].c_str(), absolute) != nullptr ? absolute : arguments[0];
    next = 1;
  }
  Source command_line(&config);
  while (next < arguments.size()) {
    const std::string& option = arguments[next++];
    if (!option.starts_with("--") || option.size() < 3) {
      return Invalid("'" + option + "': expected --directive value");
    }
    std::vector<std::string> words;
    while (next < arguments.size() && !arguments[next].starts_with("--")) {
      words.push_back(arguments[next++]);
    }
    if (Status taken = command_line.Take(Lower(option.substr(2)), words); !taken) {
      return Invalid("option " + option + ": " + taken.error().context);
    }
  }
  return config;
}

}  // namespace verso::server
