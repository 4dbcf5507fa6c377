// Configuration: directives by name. One table (config_table.cpp) drives the file, the command
// line, CONFIG GET and CONFIG SET.
//
//   verso-server [file] [--directive value ...]
//
// Grammar of the file: that of redis.conf. One directive a line, words as in words.h, '#' starts a
// comment line, `include file`; `save` and `client-output-buffer-limit` may stand several times.
// Memory: 1k = 1000, 1kb = 1024, m, mb, g, gb. Directives of redis.conf that mean nothing here are
// accepted with a warning; unknown ones stop the start, naming file and line.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/process_info.h"
#include "server/settings.h"
#include "storage/base/result.h"

namespace verso::server {

enum class ConfigKind : uint8_t {
  kInteger,
  kMemory,
  kOctal,
  kBool,
  kText,
  kSecret,
  kChoice,
  kSpecial
};

// How a directive that is no single value is read and shown.
struct ConfigSpecial {
  // Takes the words behind the name. `first`: no earlier line of this source has named it. Returns
  // what is wrong, "" if nothing.
  std::string (*set)(Settings* settings, const std::vector<std::string>& words, bool first);
  std::string (*get)(const Settings& settings);
};

struct ConfigRow {
  std::string_view name;
  ConfigKind kind;
  std::variant<std::monostate, int64_t Settings::*, uint64_t Settings::*, bool Settings::*,
               std::string Settings::*, const ConfigSpecial*>
      field;
  bool changeable = false;  // by CONFIG SET
  int64_t min = 0;
  int64_t max = 0;
  const std::string_view* choices = nullptr;  // kChoice: the field is an index into them
  int choice_count = 0;
  // What this server does not do (yet): "" if the value is fine.
  std::string (*refuse)(const Settings& settings) = nullptr;
};

const std::vector<const ConfigRow*>& ConfigRows();  // alphabetical
const ConfigRow* FindConfigRow(std::string_view name);
bool IsInertDirective(std::string_view name);
std::string ConfigValue(const ConfigRow& row, const Settings& settings);
// Sets one directive. Fails: with Redis' words about the value.
Status SetConfig(const ConfigRow& row, const std::vector<std::string>& words, bool first,
                 Settings* settings);

// "100mb" → bytes. False: not a memory value.
bool ParseMemory(std::string_view text, uint64_t* bytes);

// Before any directive; maxmemory follows the cgroup's limit.
Settings DefaultSettings(uint64_t memory_limit = CgroupMemoryLimit());

struct LoadedConfig {
  Settings settings;
  std::string file;                   // absolute, "" if none
  std::vector<std::string> warnings;  // inert directives
};

// `arguments`: the command line without the program's name. Fails: with file and line, or the
// option.
Result<LoadedConfig> LoadConfig(const std::vector<std::string>& arguments);

// Reads configuration text as if it stood in `file`. For LoadConfig and tests.
Status ReadConfigText(std::string_view text, const std::string& file, LoadedConfig* config);

}  // namespace verso::server
