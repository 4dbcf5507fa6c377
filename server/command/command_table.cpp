#include "server/command/command_table.h"

#include <algorithm>

#include "server/command/arg_reader.h"
#include "server/command/command_families.h"
#include "storage/base/check.h"

namespace verso::server {

const CommandEntry* CommandEntry::FindSubcommand(std::string_view name) const {
  for (const CommandEntry* entry : subcommands) {
    if (EqualsIgnoreCase(name, entry->row->name)) return entry;
  }
  return nullptr;
}

const CommandTable& CommandTable::Get() {
  static const CommandTable table;
  return table;
}

CommandTable::CommandTable() {
  for (const CommandFamily family :
       {kStringCommands,      kStringNumberCommands,  kStringRangeCommands,
        kBitmapCommands,      kLcsCommands,           kBitopCommands,
        kBitfieldCommands,    kHyperLogLogCommands,   kGeoCommands,
        kGeoSearchCommands,   kKeyCommands,           kKeyScanCommands,
        kExpireCommands,      kHashCommands,          kHashScanCommands,
        kSetCommands,         kSetAlgebraCommands,    kZsetCommands,
        kZsetRangeCommands,   kZsetPickCommands,      kZsetAlgebraCommands,
        kListCommands,        kListMoveCommands,      kListBlockingCommands,
        kStreamCommands,      kStreamReadCommands,    kStreamReadgroupCommands,
        kStreamGroupCommands, kStreamPendingCommands, kStreamClaimCommands,
        kStreamInfoCommands,  kTransactionCommands,   kConnectionCommands,
        kClientCommands,      kServerCommands,        kConfigCommands,
        kDebugCommands,       kAboutCommands,         kSyncCommands,
        kSlowlogCommands,     kRestoreToCommands,     kSnapshotCommands,
        kBranchCommands,      kAsofCommands,          kTxnCommands,
        kIntrospectCommands,  kSortCommands,          kDumpCommands}) {
    for (const CommandSpec& row : family) {
      CommandEntry& entry = entries_.emplace_back();
      entry.row = &row;
      entry.full_name = row.name;
      entry.index = entries_.size() - 1;
      commands_.push_back(&entry);
      for (const CommandSpec& subrow : row.subcommands) {
        CommandEntry& subentry = entries_.emplace_back();
        subentry.row = &subrow;
        subentry.container = &entry;
        subentry.full_name = entry.full_name + "|" + std::string(subrow.name);
        subentry.index = entries_.size() - 1;
        entry.subcommands.push_back(&subentry);
      }
    }
  }
  std::sort(commands_.begin(), commands_.end(),
            [](const auto* a, const auto* b) { return a->row->name < b->row->name; });
  for (size_t i = 1; i < commands_.size(); ++i) {
    VERSO_CHECK(commands_[i - 1]->row->name != commands_[i]->row->name);  // S1, across families
  }
  // Odd multipliers are tried until no two names share a slot.
  for (uint64_t multiplier = 0x9E3779B97F4A7C15;; multiplier += 0x9E3779B97F4A7C16) {
    slots_ = {};
    bool clash = false;
    for (const CommandEntry* entry : commands_) {
      const CommandEntry*& slot = slots_[Slot(entry->row->name, multiplier)];
      clash = slot != nullptr;
      if (clash) break;
      slot = entry;
    }
    if (clash) continue;
    multiplier_ = multiplier;
    return;
  }
}

const CommandEntry* CommandTable::FindFull(std::string_view full_name) const {
  const size_t bar = full_name.find('|');
  const CommandEntry* entry = Find(full_name.substr(0, bar));
  if (entry == nullptr || bar == std::string_view::npos) return entry;
  return entry->FindSubcommand(full_name.substr(bar + 1));
}

std::string CommandTable::Markdown() const {
  std::string text = "| command | group | complexity | what it does |\n|---|---|---|---|\n";
  const auto add = [&text](const CommandEntry* entry) {
    std::string name = entry->full_name;
    std::replace(name.begin(), name.end(), '|', ' ');
    for (char& c : name) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    text += "| `" + name + "` | " + std::string(GroupName(entry->row->group)) + " | " +
            std::string(entry->row->complexity) + " | " + std::string(entry->row->summary) + " |\n";
  };
  for (const CommandEntry* entry : commands_) {
    if (!std::holds_alternative<std::monostate>(entry->row->run)) add(entry);
    for (const CommandEntry* subcommand : entry->subcommands) add(subcommand);
  }
  return text;
}

std::string_view GroupName(Group group) {
  switch (group) {
    case Group::kGeneric:
      return "generic";
    case Group::kString:
      return "string";
    case Group::kList:
      return "list";
    case Group::kSet:
      return "set";
    case Group::kSortedSet:
      return "sorted-set";
    case Group::kHash:
      return "hash";
    case Group::kPubSub:
      return "pubsub";
    case Group::kTransactions:
      return "transactions";
    case Group::kConnection:
      return "connection";
    case Group::kServer:
      return "server";
    case Group::kScripting:
      return "scripting";
    case Group::kHyperLogLog:
      return "hyperloglog";
    case Group::kCluster:
      return "cluster";
    case Group::kGeo:
      return "geo";
    case Group::kStream:
      return "stream";
    case Group::kBitmap:
      return "bitmap";
  }
  return "";
}

std::vector<std::string_view> AclCategories(const CommandSpec& row) {
  std::vector<std::string_view> categories;
  switch (row.group) {
    case Group::kGeneric:
      categories.push_back("keyspace");
      break;
    case Group::kString:
      categories.push_back("string");
      break;
    case Group::kList:
      categories.push_back("list");
      break;
    case Group::kSet:
      categories.push_back("set");
      break;
    case Group::kSortedSet:
      categories.push_back("sortedset");
      break;
    case Group::kHash:
      categories.push_back("hash");
      break;
    case Group::kTransactions:
      categories.push_back("transaction");
      break;
    case Group::kConnection:
      categories.push_back("connection");
      break;
    case Group::kScripting:
      categories.push_back("scripting");
      break;
    case Group::kHyperLogLog:
      categories.push_back("hyperloglog");
      break;
    case Group::kGeo:
      categories.push_back("geo");
      break;
    case Group::kStream:
      categories.push_back("stream");
      break;
    case Group::kBitmap:
      categories.push_back("bitmap");
      break;
    case Group::kPubSub:
    case Group::kServer:
    case Group::kCluster:
      break;
  }
  if (row.Has(kKeyspace) && row.group != Group::kGeneric) categories.push_back("keyspace");
  if (row.Has(kWrite)) categories.push_back("write");
  // EVAL_RO and its kin are not @read: what their script reads decides.
  if (row.Has(kReadonly) && row.group != Group::kScripting) categories.push_back("read");
  if (row.Has(kAdmin)) categories.push_back("admin");
  if (row.Has(kAdmin | kDangerous)) categories.push_back("dangerous");
  if (row.Has(kPubSub)) categories.push_back("pubsub");
  categories.push_back(row.Has(kFast) ? "fast" : "slow");
  if (row.Has(kBlocking)) categories.push_back("blocking");
  std::sort(categories.begin(), categories.end());
  return categories;
}

std::vector<std::string_view> FlagNames(const CommandSpec& row) {
  static constexpr std::pair<uint64_t, std::string_view> kNames[] = {
      {kWrite, "write"},
      {kReadonly, "readonly"},
      {kDenyOom, "denyoom"},
      {kAdmin, "admin"},
      {kPubSub, "pubsub"},
      {kNoScript, "noscript"},
      {kBlocking, "blocking"},
      {kLoading, "loading"},
      {kStale, "stale"},
      {kSkipMonitor, "skip_monitor"},
      {kSkipSlowlog, "skip_slowlog"},
      {kAsking, "asking"},
      {kFast, "fast"},
      {kNoAuth, "no_auth"},
      {kMayReplicate, "may_replicate"},
      {kNoMandatoryKeys, "no_mandatory_keys"},
      {kNoAsyncLoading, "no_async_loading"},
      {kNoMulti, "no_multi"},
      {kMovableKeys, "movablekeys"},
      {kAllowBusy, "allow_busy"},
  };
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kNames) {
    if (row.Has(flag)) names.push_back(name);
  }
  return names;
}

ArgumentRange KeysIn(const Keys& spec, std::span<const std::string_view> arguments) {
  ArgumentRange range{.step = static_cast<size_t>(spec.step)};
  if (spec.first == 0) return range;
  range.first = static_cast<size_t>(spec.first);
  if (!spec.keyword.empty()) {
    // An option for one key may stand several times: then the last one counts (SORT's STORE).
    const auto is_keyword = [&spec](ByteView word) { return EqualsIgnoreCase(word, spec.keyword); };
    const auto begin =
        arguments.begin() + static_cast<ptrdiff_t>(std::min(range.first, arguments.size()));
    auto found = std::find_if(begin, arguments.end(), is_keyword);
    while (spec.last == 0 && found != arguments.end()) {
      const auto again = std::find_if(found + 1, arguments.end(), is_keyword);
      if (again == arguments.end()) break;
      found = again;
    }
    range.first = static_cast<size_t>(found - arguments.begin()) + 1;
  }
  if (range.first >= arguments.size()) {
    range.valid = !spec.counted;
    return range;
  }
  if (spec.counted) {
    int64_t number = 0;
    range.valid = ParseInteger(arguments[range.first], &number) && number > 0 &&
                  static_cast<uint64_t>(number) < arguments.size() - range.first;
    ++range.first;
    range.end = range.valid ? range.first + static_cast<size_t>(number) : 0;
    return range;
  }
  if (spec.last >= 0) {
    range.end = std::min(range.first + static_cast<size_t>(spec.last) + 1, arguments.size());
  } else if (spec.limit > 1) {
    range.end = range.first + (arguments.size() - range.first) / static_cast<size_t>(spec.limit);
  } else {
    range.end = arguments.size() - static_cast<size_t>(-1 - spec.last);
  }
  return range;
}

bool FindKeys(const CommandSpec& row, std::span<const std::string_view> arguments,
              std::vector<KeyPosition>* keys) {
  for (const Keys& spec : row.keys) {
    const ArgumentRange range = KeysIn(spec, arguments);
    if (!range.valid) return false;
    for (size_t i = range.first; i < range.end; i += range.step) keys->push_back({i, spec.access});
  }
  return true;
}

}  // namespace verso::server
