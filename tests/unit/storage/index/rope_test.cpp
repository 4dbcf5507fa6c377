// Goal: a rope reads like the string it stands for, whatever was written, in every pinned version,
// and a small write copies the path and nothing more.
// Method: the same random writes go to a rope and to a std::string, with sizes around every
// threshold; pins keep both, and are compared byte by byte at the end. The rope hangs in the
// root page of the main line, so the store's audit covers each of its pages.
#include "storage/index/rope.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "storage/memory/line_root.h"
#include "storage/memory/size_class.h"
#include "storage/memory/store.h"
#include "storage/memory/subtree.h"
#include "tests/support/test_store.h"

namespace verso::storage {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class Fixture {
 public:
  Fixture() {
    store_ = FreshStore(&clock_, 1);
    REQUIRE(store_->ReserveForWrite(0, 1));
    *line().mutable_head() = line().NewPage(PageKind::kLineRoot, sizeof(LineRoot));
    new (line().Writable(line().mutable_head())) LineRoot;
    Databases()->keys = line().NewPage(PageKind::kValue, kCellBytes);
    std::memset(store_->arena().ResolveMutable(Databases()->keys), 0, kCellBytes);
  }

  Store& store() { return *store_; }
  Line& line() { return store_->main(); }
  const PageArena& arena() { return store_->arena(); }
  // Where the structure under test hangs: in a line's root page, so that pins and audits see it. (A
  // value stands in for the keys: it tells the audit that this database is none of a key space.)
  Ref* slot() { return &Databases()->deadlines; }
  Ref root() { return RootOf(line().head()); }
  Ref RootOf(const PinHandle& pin) { return RootOf(pin.root()); }
  uint64_t pages_copied() { return store_->stats().pages_copied; }

  void Reserve(uint64_t offset, uint64_t count) {
    REQUIRE(store_->arena().Reserve(RopeEstimate(offset, count)));
  }
  void Build(ByteView bytes) {
    Reserve(0, bytes.size());
    *slot() = RopeBuild(line(), bytes);
  }
  void Write(uint64_t offset, ByteView bytes) {
    Reserve(offset, bytes.size());
    RopeWrite(line(), slot(), offset, bytes);
  }
  std::string Read(const Ref& root, uint64_t offset = 0, uint64_t count = ~uint64_t{0}) {
    std::string read;
    RopeForEachPiece(arena(), root, offset, count, [&](ByteView piece) {
      REQUIRE(!piece.empty());
      read.append(piece);
    });
    return read;
  }
  PinHandle Pin() { return store_->PinForRead(line(), 0); }
  size_t Allocated() { return arena().bytes_allocated(); }

  void AuditIsClean() {
    store_->DrainBackground();
    REQUIRE(store_->Audit() == "");
  }

 private:
  DatabaseRoot* Databases() {
    return reinterpret_cast<LineRoot*>(line().Writable(line().mutable_head()))->databases;
  }
  Ref RootOf(const Ref& head) {
    return reinterpret_cast<const LineRoot*>(arena().Resolve(head))->databases[0].deadlines;
  }

  ManualClock clock_;
  std::unique_ptr<Store> store_;
};

std::string RandomBytes(std::mt19937_64& random, size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void Overwrite(std::string* model, uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  if (model->size() < offset + bytes.size()) model->resize(offset + bytes.size(), '\0');
  model->replace(offset, bytes.size(), bytes);
}

}  // namespace

TEST_CASE("A rope of any length reads as what it was built from", "[rope]") {
  std::mt19937_64 random(7);
  for (const size_t length : {size_t{0}, size_t{1}, size_t{8191}, size_t{8192}, size_t{8193},
                              size_t{16384}, size_t{100000}, 128 * kRopeChunkBytes - 1,
                              128 * kRopeChunkBytes, 128 * kRopeChunkBytes + 1, 3 * kMiB + 17}) {
    Fixture fixture;
    const std::string bytes = RandomBytes(random, length);
    fixture.Build(bytes);
    REQUIRE(RopeLength(fixture.arena(), fixture.root()) == length);
    REQUIRE(fixture.Read(fixture.root()) == bytes);
    REQUIRE(RopeEquals(fixture.arena(), fixture.root(), bytes));
    REQUIRE(RopeValidate(fixture.arena(), fixture.root()) == "");
    REQUIRE(fixture.Read(fixture.root(), length) == "");
    if (length > 2) {
      REQUIRE(fixture.Read(fixture.root(), length - 2, 100) == bytes.substr(length - 2));
      REQUIRE(fixture.Read(fixture.root(), length / 2, 0) == "");
    }
    fixture.AuditIsClean();
  }
}

TEST_CASE("The root gets a level exactly when the length needs it", "[rope]") {
  for (const auto& [length, levels] : std::vector<std::pair<uint64_t, int>>{
           {RopeSpan(1), 1}, {RopeSpan(1) + 1, 2}, {RopeSpan(2), 2}, {RopeSpan(2) + 1, 3}}) {
    Fixture fixture;
    fixture.Build("first");
    const PinHandle pin = fixture.Pin();
    fixture.slot();  // the line's root page is copied now, before anything is counted
    fixture.Write(length - 1, "x");
    const auto* header =
        reinterpret_cast<const RopeHeader*>(fixture.arena().Resolve(fixture.root()));
    REQUIRE(header->levels == levels);
    REQUIRE(header->length == length);
    REQUIRE(fixture.Read(fixture.root(), 0, 7) == std::string("first\0\0", 7));
    REQUIRE(fixture.Read(fixture.root(), length - 3) == std::string("\0\0x", 3));
    REQUIRE(fixture.Read(fixture.RootOf(pin)) == "first");
    REQUIRE(RopeValidate(fixture.arena(), fixture.root()) == "");
    fixture.AuditIsClean();
  }
}

TEST_CASE("Writing far behind the end of a rope costs a path, not the gap", "[rope]") {
  Fixture fixture;
  fixture.Build("");
  const size_t before = fixture.Allocated();
  fixture.Write(500 * kMiB, "x");
  REQUIRE(RopeLength(fixture.arena(), fixture.root()) == 500 * kMiB + 1);
  REQUIRE(fixture.Allocated() - before < 8 * 1024);
  uint64_t zeros = 0;
  bool all_zero = true;
  RopeForEachPiece(fixture.arena(), fixture.root(), 0, 500 * kMiB, [&](ByteView piece) {
    zeros += piece.size();
    all_zero &= piece == ByteView("\0", 1) || piece.find_first_not_of('\0') == ByteView::npos;
  });
  REQUIRE(zeros == 500 * kMiB);
  REQUIRE(all_zero);

  // A hole can be filled, also in the middle of a chunk that ends before it.
  fixture.Write(8192 + 100, "abc");
  fixture.Write(8192 + 200, "def");
  REQUIRE(fixture.Read(fixture.root(), 8192 + 99, 5) == std::string("\0abc\0", 5));
  REQUIRE(fixture.Read(fixture.root(), 8192 + 199, 5) == std::string("\0def\0", 5));
  fixture.AuditIsClean();
}

TEST_CASE("A run becomes the first chunk of a rope without being copied", "[rope]") {
  Fixture fixture;
  std::mt19937_64 random(11);
  for (const size_t length : {size_t{1}, size_t{300}, kRopeChunkBytes}) {
    const std::string bytes = RandomBytes(random, length);
    REQUIRE(fixture.store().ReserveForWrite(64 * 1024, 1));
    const Ref run = fixture.line().NewPage(PageKind::kValue, length);
    bytes.copy(fixture.store().arena().ResolveMutable(run), length);
    const Ref old = fixture.root();
    if (old) fixture.line().Retire(old);
    *fixture.slot() = RopeFromRun(fixture.line(), run);
    const Ref* child = nullptr;
    VisitRope(fixture.arena().Resolve(fixture.root()), fixture.root(),
              [&](const Ref& ref) { child = &ref; });
    REQUIRE(child != nullptr);
    REQUIRE(*child == run);
    fixture.Write(length, "tail");
    REQUIRE(fixture.Read(fixture.root()) == bytes + "tail");
    fixture.AuditIsClean();
  }
}

TEST_CASE("A rope follows a string through random writes and pins", "[rope]") {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    Fixture fixture;
    std::string model = RandomBytes(random, 8192 + random() % 3);
    fixture.Build(model);
    struct Version {
      PinHandle pin;
      std::string model;
    };
    std::vector<Version> versions;
    for (int step = 0; step < 600; ++step) {
      const size_t sizes[] = {1, 2, 15, 100, 1000, 8191, 8192, 8193, 30000};
      const std::string bytes = RandomBytes(random, sizes[random() % 9]);
      uint64_t offset = random() % (model.size() + 1);
      if (random() % 4 == 0) offset = model.size();                        // append
      if (random() % 8 == 0) offset = offset / 8192 * 8192;                // whole chunks
      if (random() % 50 == 0) offset = model.size() + random() % 100'000;  // a gap
      if (offset + bytes.size() > 3 * kMiB) offset = random() % (2 * kMiB);
      fixture.Write(offset, bytes);
      Overwrite(&model, offset, bytes);
      const uint64_t from = random() % model.size();
      const uint64_t count = random() % 20'000;
      REQUIRE(fixture.Read(fixture.root(), from, count) == model.substr(from, count));
      if (random() % 40 == 0) versions.push_back({fixture.Pin(), model});
      if (!versions.empty() && random() % 100 == 0) {
        const size_t victim = random() % versions.size();
        REQUIRE(fixture.Read(fixture.RootOf(versions[victim].pin)) == versions[victim].model);
        versions.erase(versions.begin() + static_cast<ptrdiff_t>(victim));
      }
      if (step % 50 == 0) {
        REQUIRE(RopeValidate(fixture.arena(), fixture.root()) == "");
        REQUIRE(RopeEquals(fixture.arena(), fixture.root(), model));
        fixture.AuditIsClean();
      }
    }
    for (const Version& version : versions) {
      REQUIRE(fixture.Read(fixture.RootOf(version.pin)) == version.model);
      REQUIRE(RopeValidate(fixture.arena(), fixture.RootOf(version.pin)) == "");
    }
    versions.clear();
    fixture.AuditIsClean();
  }
}

TEST_CASE("A byte of a 512 MB rope costs four pages after a pin, and none the second time",
          "[rope]") {
  Fixture fixture;
  std::mt19937_64 random(3);
  fixture.Build(RandomBytes(random, 2 * kMiB));                 // dense
  fixture.Write(300 * kMiB, RandomBytes(random, kMiB + 5));     // dense, at an odd end
  fixture.Write(512 * kMiB - 8192, RandomBytes(random, 8192));  // the last chunk
  REQUIRE(RopeLength(fixture.arena(), fixture.root()) == 512 * kMiB);
  for (const uint64_t offset : {uint64_t{0}, kMiB, 300 * kMiB + 1000, 512 * kMiB - 1}) {
    const PinHandle pin = fixture.Pin();
    fixture.slot();  // the line's root page is copied now, before anything is counted
    const std::string old = fixture.Read(fixture.RootOf(pin), offset, 1);
    const std::string changed(1, static_cast<char>(old[0] + 1));
    const uint64_t copied = fixture.pages_copied();
    fixture.Write(offset, changed);
    REQUIRE(fixture.pages_copied() - copied == 4);
    const size_t allocated = fixture.Allocated();
    fixture.Write(offset, changed);
    REQUIRE(fixture.pages_copied() - copied == 4);
    REQUIRE(fixture.Allocated() == allocated);
    REQUIRE(fixture.Read(fixture.root(), offset, 1) == changed);
    REQUIRE(fixture.Read(fixture.RootOf(pin), offset, 1) == old);
  }
  // Overwriting a whole chunk does not copy its old bytes; a hole has none.
  const PinHandle pin = fixture.Pin();
  fixture.slot();  // the line's root page is copied now, before anything is counted
  uint64_t copied = fixture.pages_copied();
  fixture.Write(8192, RandomBytes(random, 8192));
  REQUIRE(fixture.pages_copied() - copied == 3);
  copied = fixture.pages_copied();
  fixture.Write(100 * kMiB, "x");
  REQUIRE(fixture.pages_copied() - copied <= 2);
}

TEST_CASE("Appending byte by byte keeps one chunk growing", "[rope]") {
  Fixture fixture;
  std::string model(8192, 'a');
  fixture.Build(model);
  const size_t before = fixture.Allocated();
  std::vector<Cell> cells;
  for (int i = 0; i < 8192; ++i) {
    const char byte = static_cast<char>('a' + i % 26);
    fixture.Write(model.size(), ByteView(&byte, 1));
    model.push_back(byte);
    Ref last;
    VisitRope(fixture.arena().Resolve(fixture.root()), fixture.root(),
              [&](const Ref& ref) { last = ref; });
    if (cells.empty() || cells.back() != last.cell()) cells.push_back(last.cell());
  }
  REQUIRE(cells.size() <= static_cast<size_t>(ClassFor(kRopeChunkBytes)) + 1);  // R4
  REQUIRE(fixture.Allocated() - before <= 8192 + 64);
  REQUIRE(fixture.Read(fixture.root()) == model);
  fixture.AuditIsClean();
}

TEST_CASE("A write allocates no more than its estimate", "[rope]") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 40; ++round) {
    Fixture fixture;
    fixture.Build(RandomBytes(random, 1 + random() % (2 * kMiB)));
    const PinHandle pin = fixture.Pin();
    fixture.slot();  // the line's root page is copied now, before anything is counted
    const uint64_t offset = random() % (round % 2 == 0 ? 2 * kMiB : 511 * kMiB);
    const std::string bytes = RandomBytes(random, 1 + random() % 100'000);
    const size_t before = fixture.Allocated();
    fixture.Write(offset, bytes);
    REQUIRE(fixture.Allocated() - before <= RopeEstimate(offset, bytes.size()));
    REQUIRE(fixture.Read(fixture.root(), offset, bytes.size()) == bytes);
  }
}

TEST_CASE("Ropes compare with bytes as strings do", "[rope]") {
  Fixture fixture;
  std::mt19937_64 random(9);
  std::string bytes = RandomBytes(random, 20'000);
  bytes[8191] = bytes[8192] = bytes[19'999] = 'm';
  fixture.Build(bytes);
  const auto compare = [&](const std::string& other) {
    const int order = RopeCompare(fixture.arena(), fixture.root(), other);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  };
  REQUIRE(compare(bytes) == 0);
  REQUIRE(compare("") == 1);
  REQUIRE(compare(bytes + '\0') == -1);
  REQUIRE(compare(bytes.substr(0, 19'999)) == 1);
  for (const size_t place : {size_t{8191}, size_t{8192}, size_t{19'999}}) {
    std::string other = bytes;
    other[place] = 'n';
    REQUIRE(compare(other) == -1);
    REQUIRE_FALSE(RopeEquals(fixture.arena(), fixture.root(), other));
    other[place] = 'l';
    REQUIRE(compare(other) == 1);
  }
  fixture.Write(30'000, "end");  // with a hole
  bytes.resize(30'000, '\0');
  bytes += "end";
  REQUIRE(compare(bytes) == 0);
}

TEST_CASE("A copied rope has the contents and holes, and pages of its own", "[rope]") {
  Fixture fixture;
  fixture.Build(std::string(10'000, 'x'));
  fixture.Write(200 * kMiB, "tail");
  const size_t before = fixture.Allocated();
  const Ref copy = CopySubtree(fixture.line(), fixture.root());
  REQUIRE(RopeLength(fixture.arena(), copy) == 200 * kMiB + 4);
  REQUIRE(RopeValidate(fixture.arena(), copy) == "");
  REQUIRE(fixture.Allocated() - before < 32 * 1024);
  fixture.Write(0, "changed");
  REQUIRE(fixture.Read(copy, 0, 10) == std::string(10, 'x'));
  REQUIRE(fixture.Read(copy, 200 * kMiB) == "tail");
  fixture.line().Retire(copy);
  fixture.AuditIsClean();
}

TEST_CASE("Damaged pages of a rope are refused", "[rope]") {
  Fixture fixture;
  fixture.Build(std::string(2 * kMiB, 'x'));
  const Ref root = fixture.root();
  const std::string page(fixture.arena().Resolve(root), root.size());
  REQUIRE(CheckRope(page.data(), root));
  const auto damaged = [&](size_t at, char byte) {
    std::string copy = page;
    copy[at] = byte;
    return !CheckRope(copy.data(), root);
  };
  REQUIRE(damaged(2, 1));  // the length needs fewer references than there are
  REQUIRE(damaged(6, 1));  // the length is more than the levels reach
  REQUIRE(damaged(8, 0));  // levels
  REQUIRE(damaged(8, 1));
  REQUIRE(damaged(8, 4));
  REQUIRE(damaged(9, 1));                                         // padding
  REQUIRE(damaged(16 + 5, static_cast<char>(PageKind::kValue)));  // kind of a child
  REQUIRE(damaged(16 + 6, 1));                                    // size of a child
  REQUIRE(damaged(16 + 14, 2));                                   // level of a child
  REQUIRE_FALSE(CheckRope(page.data(), Ref::Make(root.cell(), PageKind::kRope, 8, 1)));
  REQUIRE_FALSE(CheckRope(page.data(), Ref::Make(root.cell(), PageKind::kRope, 40, 1)));

  Ref node;
  VisitRope(page.data(), root, [&](const Ref& ref) { node = ref; });
  REQUIRE(node.kind() == PageKind::kRopeNode);
  std::string node_page(fixture.arena().Resolve(node), node.size());
  REQUIRE(CheckRopeNode(node_page.data(), node));
  const auto as = [&](size_t size, uint16_t level) {
    return Ref::Make(node.cell(), PageKind::kRopeNode, size, 1, level);
  };
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), as(0, 1)));
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), as(24, 1)));
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), as(4096, 1)));
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), as(node.size(), 0)));
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), as(node.size(), 2)));
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), as(node.size(), 3)));
  node_page[7] = 0x40;  // size of a child: 16 KiB
  REQUIRE_FALSE(CheckRopeNode(node_page.data(), node));
}

}  // namespace verso::storage
