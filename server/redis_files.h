// Which files of Redis hold a data set, and in which order they are read.
//
//   <dir>/dump.rdb                                  RDB
//   <dir>/appendonlydir/appendonly.aof.manifest     since Redis 7: a line for each file,
//                                                   "file NAME seq N type b|i|h"
//                       appendonly.aof.1.base.rdb   b: the base: RDB, commands, or RDB and then
//                                                   commands
//                       appendonly.aof.1.incr.aof   i: commands, in the order of their numbers
//                                                   h: no longer part of it
//   <dir>/appendonly.aof                            before Redis 7: as a base
//
// The names are those of the directives dbfilename, appenddirname, appendfilename.
//
// N1 Nothing is guessed: files of an append-only file without their manifest, a manifest that is
//    not whole, and two data sets of which no directive prefers one are errors, never an empty or
//    an old data set.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/settings.h"
#include "storage/base/result.h"

namespace verso::server {

struct RedisFiles {
  std::string name;         // what was found, for people: the dump, the manifest, the file
  bool append_only = true;  // else a dump: nothing may stand behind it
  std::vector<std::string> paths;
  bool has_base = true;  // the first of them; the others hold commands only
};

// In this directory; nullopt: there are none.
Result<std::optional<RedisFiles>> FindRedisFiles(const Settings& settings,
                                                 const std::string& directory);

// What --import names: a dump, an append-only file, a manifest, or a directory of these.
Result<RedisFiles> RedisFilesAt(const Settings& settings, const std::string& path);

// The text of a manifest; the files stand in `directory`. Fails: with the line.
Result<RedisFiles> ReadManifest(std::string_view text, const std::string& directory);

}  // namespace verso::server
