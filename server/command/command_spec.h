// CommandSpec: what a command is, as one constexpr row that stands beside its handler at the foot
// of cmd_<family>.cpp.
//
// The row is the only truth about a command. It drives lookup, arity, the dispatcher's gates,
// COMMAND and its subcommands, ACL categories, key extraction, the README's table (verso-server
// --print-commands) and the fuzz dictionary.
//
//   constexpr ArgSpec kGetArgs[] = {{.name = "key", .type = ArgType::kKey}};
//   constexpr CommandSpec kRows[] = {
//       {.name = "get", .arity = 2, .flags = kReadonly | kFast, .group = Group::kString,
//        .keys = {Keys::At(1).Access(kKeyRo | kKeyAccess)}, .args = kGetArgs, .since = "0.1.0",
//        .complexity = "O(1)", .summary = "Returns the string value of a key.", .run = &Get},
//   };
//   static_assert(CommandRowsProblem(kRows) == nullptr);
//   const CommandFamily kStringCommands = kRows;      // joined by name in command_table.cpp
//
// S1 Names are lower case and unique; a subcommand's row carries its own name only ("encoding") and
//    hangs below its container.
// S2 A handler's type says what it may do: a ReadHandler sees a const view, only a WriteHandler can
//    change data, a PlainHandler sees its arguments and its session, a ServerHandler the server too
//    but no data, and a DispatcherHandler runs other commands (EXEC). The flags must agree
//    (kReadonly, kWrite, none, none, none).
// S3 `arity` counts the name (containers: name and subcommand); negative means "at least".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

namespace verso::storage {
class ReadView;
class WriteView;
}  // namespace verso::storage

namespace verso::server {

class CommandContext;
class Dispatcher;
class Server;

// What a handler tells the dispatcher.
enum class Outcome : uint8_t {
  kDone,    // the reply is complete
  kParked,  // waits for something (key, page, space); runs again from the start when it is there
  kYield,   // a Continuation goes on between turns (CommandContext::Yield)
};

using ReadHandler = Outcome (*)(const storage::ReadView& view, CommandContext& context);
using WriteHandler = Outcome (*)(storage::WriteView& view, CommandContext& context);
using PlainHandler = Outcome (*)(CommandContext& context);
using ServerHandler = Outcome (*)(Server& server, CommandContext& context);
using DispatcherHandler = Outcome (*)(Dispatcher& dispatcher, CommandContext& context);
using Handler = std::variant<std::monostate, ReadHandler, WriteHandler, PlainHandler, ServerHandler,
                             DispatcherHandler>;

// How many payload bytes a write may need at worst beyond path copies (default: the bytes of its
// arguments).
using ReserveEstimator = size_t (*)(const storage::ReadView& view, const CommandContext& context);

enum CommandFlag : uint64_t {
  kWrite = 1 << 0,
  kReadonly = 1 << 1,
  kDenyOom = 1 << 2,
  kAdmin = 1 << 3,
  kPubSub = 1 << 4,
  kNoScript = 1 << 5,
  kBlocking = 1 << 6,
  kLoading = 1 << 7,
  kStale = 1 << 8,
  kSkipMonitor = 1 << 9,
  kSkipSlowlog = 1 << 10,
  kAsking = 1 << 11,
  kFast = 1 << 12,
  kNoAuth = 1 << 13,
  kMayReplicate = 1 << 14,
  kNoMandatoryKeys = 1 << 15,
  kNoAsyncLoading = 1 << 16,
  kNoMulti = 1 << 17,
  kMovableKeys = 1 << 18,
  kAllowBusy = 1 << 19,
  // Not shown by COMMAND: ACL categories that neither the other flags nor the group imply.
  kDangerous = 1 << 20,
  kKeyspace = 1 << 21,
  // Not shown either: runs at once after MULTI (EXEC, DISCARD, QUIT ...).
  kNotQueued = 1 << 22,
  // Nor this: refused inside a TXN, where it would act beside the transaction or end its view.
  kNoTxn = 1 << 23,
};

enum class Group : uint8_t {
  kGeneric,
  kString,
  kList,
  kSet,
  kSortedSet,
  kHash,
  kPubSub,
  kTransactions,
  kConnection,
  kServer,
  kScripting,
  kHyperLogLog,
  kCluster,
  kGeo,
  kStream,
  kBitmap,
};

// Redis' key spec flags.
enum KeyFlag : uint16_t {
  kKeyRo = 1 << 0,  // exactly one of these four
  kKeyRw = 1 << 1,
  kKeyOw = 1 << 2,
  kKeyRm = 1 << 3,
  kKeyAccess = 1 << 4,  // what is done with the user's data
  kKeyInsert = 1 << 5,
  kKeyUpdate = 1 << 6,
  kKeyDelete = 1 << 7,
  kKeyNotKey = 1 << 8,
  kKeyIncomplete = 1 << 9,
  kKeyVariable = 1 << 10,  // the flags depend on the arguments (SET with GET)
};

// Where keys stand: from argument `first` on, or behind a `keyword` there, of several the first,
// for a single key the last. They go on to `last` (relative to their begin; -1: the last argument)
// in steps, or the argument where they would begin says how many follow it.
struct Keys {
  int16_t first = 0;  // 0: no such key spec
  int16_t last = 0;
  int16_t step = 1;
  int16_t limit = 0;  // with a `last` of -1: only the first 1/limit of what is left are keys
  uint16_t access = 0;
  bool counted = false;
  std::string_view keyword = {};  // lower case

  static constexpr Keys At(int index) { return {.first = static_cast<int16_t>(index)}; }
  static constexpr Keys Behind(std::string_view word, int search_from) {
    return {.first = static_cast<int16_t>(search_from), .keyword = word};
  }
  constexpr Keys To(int relative_last) const {
    Keys keys = *this;
    keys.last = static_cast<int16_t>(relative_last);
    return keys;
  }
  constexpr Keys Step(int width) const {
    Keys keys = *this;
    keys.step = static_cast<int16_t>(width);
    return keys;
  }
  constexpr Keys Limit(int divisor) const {
    Keys keys = *this;
    keys.limit = static_cast<int16_t>(divisor);
    return keys;
  }
  constexpr Keys Counted() const {
    Keys keys = *this;
    keys.counted = true;
    return keys;
  }
  constexpr Keys Access(unsigned flags) const {
    Keys keys = *this;
    keys.access = static_cast<uint16_t>(flags);
    return keys;
  }
  constexpr bool IsRange() const { return first != 0 && keyword.empty() && !counted; }
};

enum class ArgType : uint8_t {
  kString,
  kInteger,
  kDouble,
  kKey,
  kPattern,
  kUnixTime,
  kPureToken,
  kOneOf,
  kBlock,
};

enum ArgFlag : uint8_t { kOptional = 1 << 0, kMultiple = 1 << 1, kMultipleToken = 1 << 2 };

struct ArgSpec;

// A view of a constexpr array of rows; ArgSpec and CommandSpec nest, so neither is complete here.
template <typename Row>
struct RowList {
  const Row* rows = nullptr;
  size_t count = 0;

  constexpr RowList() = default;
  template <size_t kCount>
  constexpr RowList(const Row (&array)[kCount]) : rows(array), count(kCount) {}  // NOLINT
  constexpr const Row* begin() const { return rows; }
  constexpr const Row* end() const;
  constexpr bool empty() const { return count == 0; }
};

// One argument in COMMAND DOCS.
struct ArgSpec {
  std::string_view name;
  ArgType type = ArgType::kString;
  std::string_view token = {};  // the word before it ("EX"), or the whole of a pure token
  uint8_t flags = 0;
  int8_t key_spec = -1;  // kKey: index into CommandSpec::keys (At 0 by default)
  std::string_view since = {};
  RowList<ArgSpec> args = {};  // kOneOf, kBlock
};

struct CommandSpec {
  std::string_view name;
  int arity = 0;
  uint64_t flags = 0;
  Group group = Group::kGeneric;
  std::array<Keys, 3> keys = {};
  RowList<ArgSpec> args = {};
  std::string_view since;
  std::string_view complexity;
  std::string_view summary;
  Handler run = {};
  ReserveEstimator reserve = nullptr;
  RowList<CommandSpec> subcommands = {};
  std::array<std::string_view, 3> tips =
      {};                                  // COMMAND INFO's hints: "nondeterministic_output", ...
  std::string_view deprecated_since = {};  // and then what to use instead
  std::string_view replaced_by = {};

  constexpr bool Has(uint64_t flag) const { return (flags & flag) != 0; }
  constexpr bool has_keys() const { return keys[0].first != 0; }
  // The index of the first key if it is the same in every request; 0: it is not.
  constexpr size_t FirstKey() const {
    const Keys& spec = keys[0];
    return spec.keyword.empty() ? static_cast<size_t>(spec.first + (spec.counted ? 1 : 0)) : 0;
  }
  constexpr bool ArityFits(size_t arguments) const {
    return arity >= 0 ? arguments == static_cast<size_t>(arity)
                      : arguments >= static_cast<size_t>(-arity);
  }
};

using CommandFamily = RowList<CommandSpec>;

template <typename Row>
constexpr const Row* RowList<Row>::end() const {
  return rows + count;
}

// nullptr if the rows are well formed, else what is wrong: for a static_assert beside the rows.
constexpr const char* CommandRowsProblem(CommandFamily family) {
  for (const CommandSpec& row : family) {
    if (row.name.empty()) return "a row without a name";
    for (const char c : row.name) {
      if (c >= 'A' && c <= 'Z') return "an upper-case name";
    }
    for (const CommandSpec& other : family) {
      if (&other != &row && other.name == row.name) return "a name twice";
    }
    if (row.since.empty() || row.complexity.empty() || row.summary.empty()) {
      return "since, complexity or summary missing";
    }
    if (row.arity == 0) return "arity missing";
    if (row.Has(kWrite) && row.Has(kReadonly)) return "write and readonly together";
    if (row.Has(kWrite) != std::holds_alternative<WriteHandler>(row.run) &&
        row.subcommands.empty()) {
      return "kWrite and the handler's type disagree";
    }
    if (row.Has(kReadonly) && (std::holds_alternative<PlainHandler>(row.run) ||
                               std::holds_alternative<ServerHandler>(row.run))) {
      return "kReadonly with a handler that sees no data";
    }
    if (row.subcommands.empty() && std::holds_alternative<std::monostate>(row.run)) {
      return "neither a handler nor subcommands";
    }
    // In this order: with sanitizers the address of a function is no constant to compare.
    if (!row.Has(kWrite) && row.reserve != nullptr) return "an estimator without kWrite";
    const int arguments_min = row.arity < 0 ? -row.arity : row.arity;
    for (const Keys& keys : row.keys) {
      if (keys.first == 0) continue;
      // Keys up to the last argument may be none at all.
      const int needed = keys.counted ? 1 : keys.last < 0 ? -1 : keys.last;
      if (keys.keyword.empty() && keys.first + needed >= arguments_min) {
        return "arity too small for the keys";
      }
      const unsigned kind = keys.access & (kKeyRo | kKeyRw | kKeyOw | kKeyRm);
      if (kind == 0 || (kind & (kind - 1)) != 0) return "a key needs one of RO, RW, OW, RM";
      if (kind != kKeyRo && row.Has(kReadonly)) return "a readonly command changes a key";
    }
    if (row.has_keys() && !row.Has(kWrite) && !row.Has(kReadonly) &&
        !std::holds_alternative<DispatcherHandler>(row.run)) {
      return "keys, but neither readonly nor write";
    }
    if (!row.subcommands.empty()) {
      if (const char* problem = CommandRowsProblem(row.subcommands)) return problem;
    }
  }
  return nullptr;
}

}  // namespace verso::server
