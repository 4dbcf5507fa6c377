// Goal: the table of lines survives its encoding, and no damage to its bytes leads a reader astray.
// Method: a table with everything in it; then one to four bytes changed at random, 100,000 times.
// What is still accepted must encode again; a sanitizer build sees reads beyond the pages.
#include "storage/memory/store_meta.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "storage/memory/store.h"

namespace verso::storage {
namespace {

MetaTable Everything() {
  MetaTable table;
  table.base = 12;
  table.next_line_id = 9;
  table.main_line = 1;
  table.secret = HashSecret::FromSeed(3);
  const DeadBucket bucket{5, Ref::Make(100, PageKind::kDeadChunk, 120, 6), 3, 99};
  for (LineId id = 1; id < 9; ++id) {
    MetaLine& line = table.lines.emplace_back();
    line.id = id;
    line.parent = id - 1;
    line.headless = id % 2 == 0;
    line.fork = id;
    line.head = Ref::Make(id * 40, PageKind::kLineRoot, 640, id);
    line.inherited = bucket;
    for (Epoch epoch = id; epoch < id + 4; ++epoch) {
      MetaPin& pin = line.pins.emplace_back();
      pin.epoch = epoch;
      pin.root = line.head;
      pin.moment_ms = 1000 + epoch;
      pin.kept = 2;
      pin.dead.assign(epoch % 3, bucket);
    }
  }
  MetaItem& item = table.items.emplace_back();
  item.kind = 2;
  item.direct = true;
  item.line = 4;
  item.died = 7;
  item.above = 3;
  item.fork = 2;
  item.refs.assign(5, bucket.chunks);
  table.names.push_back({1, 1, 0, 77, 0, "main"});
  table.names.push_back({2, 3, 5, 78, 99, std::string("a\0b", 3)});
  return table;
}

TEST_CASE("the table of lines reads back as written, and damage is told") {
  ManualClock clock;
  StoreOptions options;
  options.arena.bytes_max = size_t{64} << 20;
  options.clock = &clock;
  auto store = Store::Create(options);
  REQUIRE(store);
  PageArena& arena = (*store)->arena();
  REQUIRE(arena.Reserve(1 << 20));
  const MetaTable table = Everything();
  const Ref root = WriteMeta((*store)->main(), table);
  const auto read = ReadMeta(arena, root);
  REQUIRE(read);
  CHECK(EncodeMeta(*read) == EncodeMeta(table));
  CHECK(read->secret.bytes == table.secret.bytes);
  REQUIRE(read->lines.size() == 8);
  CHECK(read->lines[3].headless);
  CHECK(read->lines[3].pins[2].dead.size() == table.lines[3].pins[2].dead.size());
  CHECK(read->items[0].refs.size() == 5);
  CHECK(read->names[1].name == std::string("a\0b", 3));

  Ref page;
  VisitSuperRoot(arena.Resolve(root), root, [&page](const Ref& ref) { page = ref; });
  REQUIRE(page.size() == EncodeMeta(table).size());
  const std::string sound(arena.Resolve(page), page.size());
  std::mt19937_64 random(4);
  size_t refused = 0;
  for (int i = 0; i < 100000; ++i) {
    char* bytes = arena.ResolveMutable(page);
    std::memcpy(bytes, sound.data(), sound.size());
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      bytes[random() % sound.size()] = static_cast<char>(random());
    }
    const auto damaged = ReadMeta(arena, root);
    if (!damaged) {
      ++refused;
    } else if (EncodeMeta(*damaged).size() != sound.size()) {
      FAIL("accepted, but not what stands there: change " << i);
    }
  }
  CHECK(refused > 1000);
  for (size_t bytes = 0; bytes < sound.size(); bytes += 13) {  // cut short
    char* super = arena.ResolveMutable(root);
    const Ref cut = Ref::Make(page.cell(), PageKind::kMeta, bytes, page.birth());
    StoreLe<Ref>(super + kSuperRootHeader, cut);
    StoreLe<uint64_t>(super + 8, bytes);
    std::memcpy(arena.ResolveMutable(page), sound.data(), sound.size());
    CHECK_FALSE(ReadMeta(arena, root));
  }
}

}  // namespace
}  // namespace verso::storage
