#include "server/redis_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "persistence/file_io.h"
#include "server/command/arg_reader.h"
#include "server/resp/words.h"

namespace verso::server {
namespace {

constexpr std::string_view kManifestEnd = ".manifest";

// What stands at a path: what cannot be looked at is no absence (N1).
struct Place {
  bool there = false;
  bool directory = false;
  uint64_t bytes = 0;
};

Result<Place> Look(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Place{};
    return persistence::OsError("stat " + path);
  }
  return Place{true, S_ISDIR(info.st_mode), static_cast<uint64_t>(info.st_size)};
}

std::string Join(const std::string& directory, const std::string& name) {
  return (std::filesystem::path(directory) / name).string();
}

Result<RedisFiles> ReadManifestFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return Error{ErrorCode::kIo, "'" + path + "' cannot be read, or is empty"};
  }
  Result<RedisFiles> files =
      ReadManifest(text.str(), std::filesystem::path(path).parent_path().string());
  if (!files) return Error{files.error().code, path + ", " + files.error().context};
  files->name = path;
  return files;
}

RedisFiles OneFile(const std::string& path, bool append_only) {
  return {.name = path, .append_only = append_only, .paths = {path}};
}

// In the directory that Redis 7 keeps them in.
Result<std::optional<RedisFiles>> FindParts(const Settings& settings,
                                            const std::string& directory) {
  const std::string manifest = settings.appendfilename + std::string(kManifestEnd);
  VERSO_TRY(const Place found, Look(Join(directory, manifest)));
  if (found.there) {
    VERSO_TRY(RedisFiles files, ReadManifestFile(Join(directory, manifest)));
    return std::optional(std::move(files));
  }
  std::error_code fault;
  std::filesystem::directory_iterator entries(directory, fault);
  if (fault) {
    return Error{ErrorCode::kIo, directory + ": " + fault.message()};
  }
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    const bool part =
        name.starts_with(settings.appendfilename + ".") &&
        (name.ends_with(".base.rdb") || name.ends_with(".base.aof") || name.ends_with(".incr.aof"));
    if (!part) continue;
    return Error{ErrorCode::kCorruption,
                 "'" + entry.path().string() + "' is there, but no '" + manifest + "'"};
  }
  return std::optional<RedisFiles>();
}

Result<std::optional<RedisFiles>> FindAppendOnly(const Settings& settings,
                                                 const std::string& directory) {
  const std::string parts = Join(directory, settings.appenddirname);
  VERSO_TRY(const Place found, Look(parts));
  if (found.directory) {
    VERSO_TRY(std::optional<RedisFiles> files, FindParts(settings, parts));
    if (files) return files;
  }
  const std::string single = Join(directory, settings.appendfilename);
  VERSO_TRY(const Place old, Look(single));
  // An empty one is what Redis leaves that has never written anything.
  if (!old.there || old.directory || old.bytes == 0) return std::optional<RedisFiles>();
  return std::optional(OneFile(single, true));
}

}  // namespace

Result<std::optional<RedisFiles>> FindRedisFiles(const Settings& settings,
                                                 const std::string& directory) {
  VERSO_TRY(std::optional<RedisFiles> append_only, FindAppendOnly(settings, directory));
  const std::string dump = Join(directory, settings.dbfilename);
  VERSO_TRY(const Place found, Look(dump));
  if (!found.there) return append_only;
  if (!append_only) return std::optional(OneFile(dump, false));
  if (settings.appendonly) return append_only;  // as Redis decides
  return Error{ErrorCode::kInvalidArgument,
               "both '" + append_only->name + "' and '" + dump +
                   "' are there, and only one of them is what Redis had last: say which with "
                   "--import, or with --appendonly yes, by which Redis prefers the first"};
}

Result<RedisFiles> RedisFilesAt(const Settings& settings, const std::string& path) {
  VERSO_TRY(const Place found, Look(path));
  if (!found.there) return Error{ErrorCode::kNotFound, path + ": No such file or directory"};
  if (found.directory) {
    VERSO_TRY(std::optional<RedisFiles> files, FindParts(settings, path));
    if (!files) {
      VERSO_TRY(files, FindRedisFiles(settings, path));
    }
    if (!files) return Error{ErrorCode::kNotFound, path + ": holds no files of Redis"};
    return *std::move(files);
  }
  if (path.ends_with(kManifestEnd)) return ReadManifestFile(path);
  // By what it begins with: a dump under any name may be one that commands follow.
  return OneFile(path, true);
}

Result<RedisFiles> ReadManifest(std::string_view text, const std::string& directory) {
  constexpr size_t kLineBytesMax = 1024;
  RedisFiles files;
  files.has_base = false;
  std::vector<std::string> increments;
  int64_t last = 0;
  int line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto fault = [line_number](const std::string& why) {
      return Error{ErrorCode::kCorruption, "line " + std::to_string(line_number) + ": " + why};
    };
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return fault("it is not whole");
    if (end > kLineBytesMax) return fault("it is too long");
    std::string line(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (line.starts_with('#')) continue;
    std::vector<std::string_view> words;
    if (!SplitWords(line.data(), line.data() + line.size(), &words) || words.empty() ||
        words.size() % 2 != 0) {
      return fault("no pairs of names and values");
    }
    std::string name;
    std::string_view type;
    int64_t number = 0;
    for (size_t i = 0; i < words.size(); i += 2) {
      // Later versions tell more (offsets of replication), and earlier ones pass over it.
      if (EqualsIgnoreCase(words[i], "file")) name = words[i + 1];
      if (EqualsIgnoreCase(words[i], "type")) type = words[i + 1];
      if (EqualsIgnoreCase(words[i], "seq") && !ParseInteger(words[i + 1], &number)) {
        return fault("seq is no number");
      }
    }
    if (name.empty() || name.find('/') != std::string::npos || number < 1) {
      return fault("file and seq must be there, the file without a path");
    }
    if (type == "b") {
      if (files.has_base) return fault("a second base");
      files.has_base = true;
      files.paths.push_back(Join(directory, name));
    } else if (type == "i") {
      if (number <= last) return fault("seq does not grow");
      last = number;
      increments.push_back(Join(directory, name));
    } else if (type != "h") {
      return fault("a file of an unknown type");
    }
  }
  files.paths.insert(files.paths.end(), increments.begin(), increments.end());
  if (files.paths.empty()) return Error{ErrorCode::kCorruption, "line 1: it names no files"};
  return files;
}

}  // namespace verso::server
