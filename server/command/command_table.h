// CommandTable: all families joined, and lookup by name. One per process, made at the first use,
// never changed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/command/command_spec.h"

namespace verso::server {

// A row with what the table knows about it.
struct CommandEntry {
  const CommandSpec* row = nullptr;
  const CommandEntry* container = nullptr;  // of a subcommand
  std::string full_name;                    // "config|get": in COMMAND INFO, CLIENT LIST, errors
  size_t index = 0;                         // of its metrics
  std::vector<const CommandEntry*> subcommands;

  const CommandEntry* FindSubcommand(std::string_view name) const;
};

class CommandTable {
 public:
  static const CommandTable& Get();

  // One multiplication and one comparison: the table is a perfect hash of the lower-cased names.
  const CommandEntry* Find(std::string_view name) const {
    const CommandEntry* entry = slots_[Slot(name, multiplier_)];
    return entry != nullptr && Matches(entry->row->name, name) ? entry : nullptr;
  }
  // "config|get", in any case.
  const CommandEntry* FindFull(std::string_view full_name) const;

  // Alphabetical, containers only.
  const std::vector<const CommandEntry*>& commands() const { return commands_; }
  // Subcommands included.
  const std::deque<CommandEntry>& entries() const { return entries_; }

  // The README's table.
  std::string Markdown() const;

 private:
  static constexpr int kSlotBits = 12;

  CommandTable();
  static uint64_t Slot(std::string_view name, uint64_t multiplier) {
    uint64_t head = 0;
    uint64_t tail = 0;
    // Case bits are set everywhere: equal names in any case have equal words. What that mixes up,
    // Matches() tells apart.
    if (name.size() >= 8) {
      __builtin_memcpy(&head, name.data(), 8);
      __builtin_memcpy(&tail, name.data() + name.size() - 8, 8);
    } else if (name.size() >= 4) {
      uint32_t low = 0, high = 0;
      __builtin_memcpy(&low, name.data(), 4);
      __builtin_memcpy(&high, name.data() + name.size() - 4, 4);
      head = low | uint64_t{high} << 32;
    } else {
      for (const char c : name) head = head << 8 | static_cast<unsigned char>(c);
    }
    constexpr uint64_t kCase = 0x2020202020202020;
    head = ((head | kCase) + (tail | kCase) * 31 + name.size()) * multiplier;
    return head >> (64 - kSlotBits);
  }
  static bool Matches(std::string_view lower, std::string_view name) {
    if (lower.size() != name.size()) return false;
    for (size_t i = 0; i < name.size(); ++i) {
      unsigned char c = static_cast<unsigned char>(name[i]);
      if (c >= 'A' && c <= 'Z') c |= 0x20;
      if (c != static_cast<unsigned char>(lower[i])) return false;
    }
    return true;
  }

  std::array<const CommandEntry*, size_t{1} << kSlotBits> slots_{};
  uint64_t multiplier_ = 0;
  std::deque<CommandEntry> entries_;
  std::vector<const CommandEntry*> commands_;
};

// ACL categories of a command, alphabetical, without the @: derived from flags and group, nowhere
// written down per command.
std::vector<std::string_view> AclCategories(const CommandSpec& row);
std::string_view GroupName(Group group);
// As COMMAND INFO shows them.
std::vector<std::string_view> FlagNames(const CommandSpec& row);

// The keys of one key spec in a request: the arguments `first`, `first + step` ... before `end`.
struct ArgumentRange {
  size_t first = 0;
  size_t end = 0;
  size_t step = 1;
  bool valid = true;  // false: the number of keys is none, or promises more than there are

  size_t count() const { return end <= first ? 0 : (end - first + step - 1) / step; }
};
ArgumentRange KeysIn(const Keys& spec, std::span<const std::string_view> arguments);

// The indices of the keys in a request that fits its row, by the row's key specs. False: it does
// not say how many keys it has.
struct KeyPosition {
  size_t index;
  uint16_t access;
};
bool FindKeys(const CommandSpec& row, std::span<const std::string_view> arguments,
              std::vector<KeyPosition>* keys);

}  // namespace verso::server
