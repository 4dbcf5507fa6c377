// Values in RDB form, one for every type and encoding: what servers of all ages write, made by
// hand, since most of them are not at hand any more. Each sample of a type holds the same, so each
// must be restored to what the type's writers make of the items and SampleScore().
#pragma once

#include <liblzf/lzf.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "persistence/rdb/crc64.h"
#include "persistence/rdb/listpack_writer.h"
#include "persistence/rdb/rdb_format.h"
#include "persistence/rdb/rdb_output.h"
#include "persistence/rdb/rdb_packed.h"

namespace verso::persistence {

struct RdbSample {
  std::string name;
  const char* type;  // as TYPE answers
  std::string body;  // type byte and value, without a footer
};

inline std::string WithDumpFooter(std::string body, uint16_t version = kRdbVersionWritten) {
  AppendLe(&body, version);
  AppendLe(&body, Crc64(0, body));
  return body;
}

// Strings of all lengths and integers of all widths that packed forms tell apart; none twice.
inline const std::vector<std::string>& SampleItems() {
  static const std::vector<std::string> items = {"alpha",
                                                 "0",
                                                 "12",
                                                 "13",
                                                 "127",
                                                 "128",
                                                 "-1",
                                                 "4095",
                                                 "-4096",
                                                 "-4097",
                                                 "32767",
                                                 "-32769",
                                                 "8388607",
                                                 "-8388609",
                                                 "2147483647",
                                                 "-2147483649",
                                                 "",
                                                 "-128",
                                                 "9223372036854775807",
                                                 "-9223372036854775808",
                                                 "12a",
                                                 std::string(63, 'b'),
                                                 std::string(64, 'c'),
                                                 std::string(253, 'd'),
                                                 std::string(300, 'e'),
                                                 std::string(4096, 'f'),
                                                 std::string(17000, 'g'),
                                                 "omega"};
  return items;
}
// Few and short enough that a collection of them stays packed.
inline std::vector<std::string> SmallSampleItems() {
  return std::vector<std::string>(SampleItems().begin(), SampleItems().begin() + 21);
}
inline const std::vector<std::string>& SampleIntegers() {
  static const std::vector<std::string> integers = {"-70000", "-1", "0", "5", "70000"};
  return integers;
}

// As text, one for each item.
inline std::string SampleScore(size_t index) {
  static constexpr std::array<const char*, 7> kScores = {"0",    "1.5", "-inf",  "inf",
                                                         "-250", "3",   "1e+100"};
  return kScores[index % kScores.size()];
}

// ---- packed forms

inline std::optional<int64_t> SampleInteger(const std::string& text) {
  int64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

inline std::string SampleListpack(const std::vector<std::string>& items) {
  ListpackWriter pack;
  for (const std::string& item : items) {
    const std::optional<int64_t> number = SampleInteger(item);
    number ? pack.AppendInteger(*number) : pack.AppendString(item);
  }
  return std::string(pack.Finish());
}

inline std::string SampleZiplistItem(const std::string& item) {
  std::string bytes;
  const std::optional<int64_t> number = SampleInteger(item);
  if (!number) {
    if (item.size() < 64) {
      bytes.push_back(static_cast<char>(item.size()));
    } else if (item.size() < 16384) {
      bytes.push_back(static_cast<char>(0x40 | item.size() >> 8));
      bytes.push_back(static_cast<char>(item.size()));
    } else {
      bytes.push_back('\x80');
      AppendLe(&bytes, __builtin_bswap32(static_cast<uint32_t>(item.size())));
    }
    return bytes + item;
  }
  const auto fits = [&number](int bits) {
    return *number >= -(int64_t{1} << (bits - 1)) && *number < int64_t{1} << (bits - 1);
  };
  if (*number >= 0 && *number <= 12) {
    bytes.push_back(static_cast<char>(0xF1 + *number));
    return bytes;
  }
  const unsigned width = fits(8) ? 1 : fits(16) ? 2 : fits(24) ? 3 : fits(32) ? 4 : 8;
  static constexpr unsigned char kForms[] = {0, 0xFE, 0xC0, 0xF0, 0xD0, 0, 0, 0, 0xE0};
  bytes.push_back(static_cast<char>(kForms[width]));
  for (unsigned i = 0; i < width; ++i) bytes.push_back(static_cast<char>(*number >> (8 * i)));
  return bytes;
}

inline std::string SampleZiplist(const std::vector<std::string>& items) {
  std::string entries;
  size_t last = 0;  // begin of the last one, and its length
  size_t before = 0;
  for (const std::string& item : items) {
    last = entries.size();
    if (before < 254) {
      entries.push_back(static_cast<char>(before));
    } else {
      entries.push_back('\xFE');
      AppendLe(&entries, static_cast<uint32_t>(before));
    }
    entries += SampleZiplistItem(item);
    before = entries.size() - last;
  }
  std::string list;
  AppendLe(&list, static_cast<uint32_t>(10 + entries.size() + 1));
  AppendLe(&list, static_cast<uint32_t>(10 + last));
  AppendLe(&list, static_cast<uint16_t>(items.size()));
  return list + entries + '\xFF';
}

template <typename Width>
inline std::string SampleIntset(const std::vector<std::string>& integers) {
  std::string set;
  AppendLe(&set, static_cast<uint32_t>(sizeof(Width)));
  AppendLe(&set, static_cast<uint32_t>(integers.size()));
  for (const std::string& text : integers) {
    AppendLe(&set, static_cast<Width>(*SampleInteger(text)));
  }
  return set;
}

inline std::string SampleZipmap(const std::vector<std::string>& pairs) {
  std::string map(1, static_cast<char>(pairs.size() / 2));
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].size() < 254) {
      map.push_back(static_cast<char>(pairs[i].size()));
    } else {
      map.push_back('\xFE');
      AppendLe(&map, static_cast<uint32_t>(pairs[i].size()));
    }
    const size_t unused = i % 4 == 3 ? 3 : 0;
    if (i % 2 != 0) map.push_back(static_cast<char>(unused));
    map += pairs[i] + std::string(i % 2 != 0 ? unused : 0, '?');
  }
  return map + '\xFF';
}

// ---- whole values

inline std::string RdbText(const std::string& bytes) {
  std::string out;
  AppendRdbString(&out, bytes);
  return out;
}
inline std::string RdbCount(uint64_t count) {
  std::string out;
  AppendRdbLength(&out, count);
  return out;
}
inline std::string RdbLzf(const std::string& bytes) {
  std::string packed(bytes.size() + 100, '\0');
  packed.resize(lzf_compress(bytes.data(), static_cast<unsigned>(bytes.size()), packed.data(),
                             static_cast<unsigned>(packed.size())));
  return "\xC3" + RdbCount(packed.size()) + RdbCount(bytes.size()) + packed;
}
inline std::string RdbTyped(RdbType type, const std::string& value) {
  return std::string(1, static_cast<char>(type)) + value;
}
template <typename T>
inline std::string RdbFixed(T value) {
  std::string out;
  AppendLe(&out, value);
  return out;
}
inline std::string RdbId(uint64_t ms, uint64_t seq) {
  return RdbFixed(__builtin_bswap64(ms)) + RdbFixed(__builtin_bswap64(seq));
}

// A stream of 100-1 {f v}, 100-3 {f w, n 7}, 105-0 {f 1000}; 100-2 was deleted. Group "g" has read
// to 100-3 and two are pending with "one"; "two" has none.
inline std::string SampleStream(int version) {
  ListpackWriter node;
  for (const int64_t number : {2, 1, 1}) node.AppendInteger(number);
  node.AppendString("f");
  node.AppendInteger(0);
  for (const int64_t number : {2, 0, 0}) node.AppendInteger(number);
  node.AppendString("v");
  node.AppendInteger(4);
  for (const int64_t number : {3, 0, 1}) node.AppendInteger(number);  // deleted
  node.AppendString("gone");
  node.AppendInteger(4);
  for (const int64_t number : {0, 0, 2, 2}) node.AppendInteger(number);
  node.AppendString("f");
  node.AppendString("w");
  node.AppendString("n");
  node.AppendInteger(7);
  node.AppendInteger(8);
  std::string body = RdbCount(2) + RdbText(RdbId(100, 1)) + RdbText(std::string(node.Finish()));
  ListpackWriter second;
  for (const int64_t number : {1, 0, 1}) second.AppendInteger(number);
  second.AppendString("f");
  for (const int64_t number : {0, 2, 0, 0, 1000, 4}) second.AppendInteger(number);
  body += RdbText(RdbId(105, 0)) + RdbText(std::string(second.Finish()));
  body += RdbCount(3) + RdbCount(106) + RdbCount(9);
  if (version >= 2) {
    body += RdbCount(100) + RdbCount(1) + RdbCount(100) + RdbCount(2) + RdbCount(20);
  }
  body += RdbCount(1) + RdbText("g") + RdbCount(100) + RdbCount(3);
  if (version >= 2) body += RdbCount(18);
  body += RdbCount(2) + RdbId(100, 1) + RdbFixed<uint64_t>(5000) + RdbCount(1) + RdbId(100, 3) +
          RdbFixed<uint64_t>(6000) + RdbCount(70);
  body += RdbCount(2) + RdbText("one") + RdbFixed<uint64_t>(7000);
  if (version >= 3) body += RdbFixed<uint64_t>(6500);
  body += RdbCount(2) + RdbId(100, 1) + RdbId(100, 3) + RdbText("two") + RdbFixed<uint64_t>(8000);
  if (version >= 3) body += RdbFixed(~uint64_t{0});
  body += RdbCount(0);
  const RdbType type = version == 1   ? RdbType::kStreamListpacks
                       : version == 2 ? RdbType::kStreamListpacks2
                                      : RdbType::kStreamListpacks3;
  return RdbTyped(type, body);
}

// Requires: four items at least.
inline std::vector<RdbSample> RdbSamples(const std::vector<std::string>& items) {
  std::string plain = RdbCount(items.size());
  std::string hash = plain;
  std::string zset = plain;
  std::string zset2 = plain;
  std::vector<std::string> pairs;
  std::vector<std::string> scored;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string score = SampleScore(i);
    const std::string& partner = items[items.size() - 1 - i];
    plain += items[i].size() == 4096 ? RdbLzf(items[i]) : RdbText(items[i]);
    hash += RdbText(items[i]) + RdbText(partner);
    zset += RdbText(items[i]);
    zset += score == "inf"    ? "\xFE"
            : score == "-inf" ? "\xFF"
                              : std::string(1, static_cast<char>(score.size())) + score;
    zset2 += RdbText(items[i]) + RdbFixed(std::strtod(score.c_str(), nullptr));
    pairs.insert(pairs.end(), {items[i], partner});
    scored.insert(scored.end(), {items[i], score});
  }
  const auto middle = items.begin() + static_cast<ptrdiff_t>(items.size() / 2);
  const std::vector<std::string> first(items.begin(), middle);
  const std::vector<std::string> rest(middle, items.end() - 1);
  const std::string listpack = SampleListpack(items);
  const std::string long_text = std::string(2000, 's') + "end";
  return {
      {"string", "string", RdbTyped(RdbType::kString, RdbText(long_text))},
      {"string, compressed", "string", RdbTyped(RdbType::kString, RdbLzf(long_text))},
      {"integer of 8 bits", "integer", RdbTyped(RdbType::kString, std::string("\xC0\xF3", 2))},
      {"integer of 16 bits", "integer", RdbTyped(RdbType::kString, std::string("\xC1\xF3\xFF", 3))},
      {"integer of 32 bits", "integer",
       RdbTyped(RdbType::kString, std::string("\xC2\xF3\xFF\xFF\xFF", 5))},
      {"list", "list", RdbTyped(RdbType::kList, plain)},
      {"list, ziplist", "list", RdbTyped(RdbType::kListZiplist, RdbText(SampleZiplist(items)))},
      {"list, compressed ziplist", "list",
       RdbTyped(RdbType::kListZiplist, RdbLzf(SampleZiplist(items)))},
      {"quicklist", "list",
       RdbTyped(RdbType::kListQuicklist,
                RdbCount(4) + RdbText(SampleZiplist(first)) + RdbText(SampleZiplist({})) +
                    RdbLzf(SampleZiplist(rest)) + RdbText(SampleZiplist({items.back()})))},
      {"quicklist2", "list",
       RdbTyped(RdbType::kListQuicklist2,
                RdbCount(3) + RdbCount(2) + RdbText(SampleListpack(first)) + RdbCount(2) +
                    RdbText(SampleListpack(rest)) + RdbCount(1) + RdbText(items.back()))},
      {"set", "set", RdbTyped(RdbType::kSet, plain)},
      {"set, listpack", "set", RdbTyped(RdbType::kSetListpack, RdbText(listpack))},
      {"intset of 32 bits", "integers",
       RdbTyped(RdbType::kSetIntset, RdbText(SampleIntset<int32_t>(SampleIntegers())))},
      {"intset of 64 bits", "integers",
       RdbTyped(RdbType::kSetIntset, RdbText(SampleIntset<int64_t>(SampleIntegers())))},
      {"hash", "hash", RdbTyped(RdbType::kHash, hash)},
      {"hash, zipmap", "hash", RdbTyped(RdbType::kHashZipmap, RdbText(SampleZipmap(pairs)))},
      {"hash, ziplist", "hash", RdbTyped(RdbType::kHashZiplist, RdbText(SampleZiplist(pairs)))},
      {"hash, listpack", "hash", RdbTyped(RdbType::kHashListpack, RdbText(SampleListpack(pairs)))},
      {"zset", "zset", RdbTyped(RdbType::kZset, zset)},
      {"zset2", "zset", RdbTyped(RdbType::kZset2, zset2)},
      {"zset, ziplist", "zset", RdbTyped(RdbType::kZsetZiplist, RdbText(SampleZiplist(scored)))},
      {"zset, listpack", "zset", RdbTyped(RdbType::kZsetListpack, RdbText(SampleListpack(scored)))},
      {"stream, version 1", "stream", SampleStream(1)},
      {"stream, version 2", "stream", SampleStream(2)},
      {"stream, version 3", "stream", SampleStream(3)},
  };
}

}  // namespace verso::persistence
