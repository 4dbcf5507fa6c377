#include "storage/memory/store_meta.h"

#include <algorithm>
#include <cstring>

#include "storage/base/check.h"
#include "storage/memory/page_kinds.h"

namespace verso::storage {
namespace {

class Writer {
 public:
  template <typename T>
  void Put(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void PutCount(size_t count) { Put(static_cast<uint32_t>(count)); }
  void PutBucket(const DeadBucket& bucket) {
    Put(bucket.first);
    Put(bucket.chunks);
    Put(bucket.pages);
    Put(bucket.bytes);
  }
  std::string Take() { return std::move(out_); }
  void PutBytes(ByteView bytes) { out_.append(bytes); }

 private:
  std::string out_;
};

// Past the end everything reads as zero and failed() stays true.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}
  template <typename T>
  T Get() {
    T value{};
    if (bytes_.size() < sizeof(T)) {
      failed_ = true;
      bytes_ = {};
      return value;
    }
    value = LoadLe<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return value;
  }
  // A count of things that take at least `least` bytes each: never more than the rest can hold.
  size_t GetCount(size_t least) {
    const size_t count = Get<uint32_t>();
    if (count > bytes_.size() / least) {
      failed_ = true;
      return 0;
    }
    return count;
  }
  DeadBucket GetBucket() {
    DeadBucket bucket;
    bucket.first = Get<uint64_t>();
    bucket.chunks = Get<Ref>();
    bucket.pages = Get<uint64_t>();
    bucket.bytes = Get<uint64_t>();
    return bucket;
  }
  std::string GetBytes(size_t count) {
    std::string bytes(bytes_.substr(0, count));
    bytes_.remove_prefix(bytes.size());
    return bytes;
  }
  bool failed() const { return failed_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  ByteView bytes_;
  bool failed_ = false;
};

constexpr size_t kBucketBytes = 40;
constexpr size_t kPinBytes = 40;
constexpr size_t kLineBytes = 44 + kBucketBytes;
constexpr size_t kItemBytes = 40;
constexpr size_t kNameBytes = 36;
constexpr uint32_t kHeadlessFlag = 1;

void DecodeLine(Reader* in, MetaLine* line) {
  line->id = in->Get<uint32_t>();
  line->parent = in->Get<uint32_t>();
  line->headless = (in->Get<uint32_t>() & kHeadlessFlag) != 0;
  in->Get<uint32_t>();
  line->fork = in->Get<uint64_t>();
  line->head = in->Get<Ref>();
  line->inherited = in->GetBucket();
  line->pins.resize(in->GetCount(kPinBytes));
  for (MetaPin& pin : line->pins) {
    pin.epoch = in->Get<uint64_t>();
    pin.root = in->Get<Ref>();
    pin.moment_ms = in->Get<uint64_t>();
    pin.kept = in->Get<uint32_t>();
    pin.dead.resize(in->GetCount(kBucketBytes));
    for (DeadBucket& bucket : pin.dead) bucket = in->GetBucket();
  }
}

bool Decode(ByteView bytes, MetaTable* table) {
  Reader in(bytes);
  table->base = in.Get<uint64_t>();
  table->next_line_id = in.Get<uint32_t>();
  table->main_line = in.Get<uint32_t>();
  table->lines.resize(in.GetCount(kLineBytes));
  for (MetaLine& line : table->lines) DecodeLine(&in, &line);
  table->items.resize(in.GetCount(kItemBytes));
  for (MetaItem& item : table->items) {
    item.kind = in.Get<uint32_t>();
    item.direct = in.Get<uint32_t>() != 0;
    item.line = in.Get<uint32_t>();
    item.died = in.Get<uint64_t>();
    item.above = in.Get<uint64_t>();
    item.fork = in.Get<uint64_t>();
    item.refs.resize(in.GetCount(sizeof(Ref)));
    for (Ref& ref : item.refs) ref = in.Get<Ref>();
  }
  table->names.resize(in.GetCount(kNameBytes));
  for (MetaName& name : table->names) {
    name.kind = in.Get<uint32_t>();
    name.line = in.Get<uint32_t>();
    name.epoch = in.Get<uint64_t>();
    name.created_ms = in.Get<uint64_t>();
    name.deadline_ms = in.Get<uint64_t>();
    name.name = in.GetBytes(in.GetCount(1));
  }
  return !in.failed() && in.at_end();
}

Error Damaged(const std::string& what) {
  return Error{ErrorCode::kCorruption, "super-root: " + what};
}

}  // namespace

std::pair<ByteView, ByteView> SplitMetaName(ByteView name) {
  const size_t zero = name.find('\0');
  if (zero == ByteView::npos) return {name, {}};
  return {name.substr(0, zero), name.substr(zero + 1)};
}

std::string EncodeMeta(const MetaTable& table) {
  Writer out;
  out.Put(table.base);
  out.Put(table.next_line_id);
  out.Put(table.main_line);
  out.PutCount(table.lines.size());
  for (const MetaLine& line : table.lines) {
    out.Put(line.id);
    out.Put(line.parent);
    out.Put(line.headless ? kHeadlessFlag : 0u);
    out.Put(0u);
    out.Put(line.fork);
    out.Put(line.head);
    out.PutBucket(line.inherited);
    out.PutCount(line.pins.size());
    for (const MetaPin& pin : line.pins) {
      out.Put(pin.epoch);
      out.Put(pin.root);
      out.Put(pin.moment_ms);
      out.Put(pin.kept);
      out.PutCount(pin.dead.size());
      for (const DeadBucket& bucket : pin.dead) out.PutBucket(bucket);
    }
  }
  out.PutCount(table.items.size());
  for (const MetaItem& item : table.items) {
    out.Put(item.kind);
    out.Put(item.direct ? 1u : 0u);
    out.Put(item.line);
    out.Put(item.died);
    out.Put(item.above);
    out.Put(item.fork);
    out.PutCount(item.refs.size());
    for (const Ref& ref : item.refs) out.Put(ref);
  }
  out.PutCount(table.names.size());
  for (const MetaName& name : table.names) {
    out.Put(name.kind);
    out.Put(name.line);
    out.Put(name.epoch);
    out.Put(name.created_ms);
    out.Put(name.deadline_ms);
    out.PutCount(name.name.size());
    out.PutBytes(name.name);
  }
  return out.Take();
}

Ref WriteMeta(Line& meta, const MetaTable& table) {
  const std::string bytes = EncodeMeta(table);
  const size_t pages = (bytes.size() + kMetaPageBytes - 1) / kMetaPageBytes;
  const size_t root_bytes = kSuperRootHeader + pages * sizeof(Ref);
  VERSO_CHECK(root_bytes <=
              kPageBytesMax);  // 128 MB of table: limits on names and pins keep it far below
  const Ref root = meta.NewPage(PageKind::kSuperRoot, root_bytes);
  char* page = meta.arena().ResolveMutable(root);
  std::memset(page, 0, root_bytes);
  StoreLe<uint32_t>(page, kMetaFormat);
  StoreLe<uint64_t>(page + 8, bytes.size());
  std::memcpy(page + 16, table.secret.bytes.data(), HashSecret::kBytes);
  for (size_t i = 0; i < pages; ++i) {
    const ByteView piece = ByteView(bytes).substr(i * kMetaPageBytes, kMetaPageBytes);
    const Ref ref = meta.NewPage(PageKind::kMeta, piece.size());
    std::memcpy(meta.arena().ResolveMutable(ref), piece.data(), piece.size());
    StoreLe<Ref>(page + kSuperRootHeader + i * sizeof(Ref), ref);
  }
  return root;
}

bool CheckSuperRoot(const char* page, const Ref& self) {
  if (self.size() < kSuperRootHeader || (self.size() - kSuperRootHeader) % sizeof(Ref) != 0)
    return false;
  bool sane = true;
  VisitSuperRoot(page, self,
                 [&sane](const Ref& ref) { sane = sane && ref.kind() == PageKind::kMeta; });
  return sane;
}

Result<MetaTable> ReadMeta(const PageArena& arena, const Ref& super_root) {
  if (super_root.kind() != PageKind::kSuperRoot || super_root.size() < kSuperRootHeader) {
    return Damaged("not a super-root");
  }
  const char* page = arena.Resolve(super_root);
  const uint32_t format = LoadLe<uint32_t>(page);
  if (format > kMetaFormat) {
    return Error{ErrorCode::kIncompatible, "super-root: format " + std::to_string(format) +
                                               ", this program knows up to " +
                                               std::to_string(kMetaFormat)};
  }
  if (!CheckSuperRoot(page, super_root)) return Damaged("references broken");
  MetaTable table;
  std::memcpy(table.secret.bytes.data(), page + 16, HashSecret::kBytes);
  std::string bytes;
  VisitSuperRoot(page, super_root,
                 [&](const Ref& ref) { bytes.append(arena.Resolve(ref), ref.size()); });
  if (bytes.size() != LoadLe<uint64_t>(page + 8)) return Damaged("table incomplete");
  if (!Decode(bytes, &table)) return Damaged("table broken");
  return table;
}

}  // namespace verso::storage
