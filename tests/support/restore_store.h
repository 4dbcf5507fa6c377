// A store in which payloads are restored as RESTORE does it, without a server around it: for tests
// of the RDB codec, and for fuzzing it.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "persistence/rdb/dump_payload.h"
#include "storage/memory/scratch_line.h"
#include "storage/memory/store.h"
#include "storage/types/type_ops.h"

namespace verso::persistence {

class RestoreStore {
 public:
  static constexpr uint64_t kNowMs = 1'700'000'000'000;

  explicit RestoreStore(size_t arena_bytes_max = size_t{4} << 30) {
    clock_.Set(kNowMs);
    storage::StoreOptions options;
    options.arena.bytes_max = arena_bytes_max;
    options.clock = &clock_;
    options.secret = HashSecret::FromSeed(11);
    auto made = storage::Store::Create(options);
    if (!made) std::abort();
    store_ = *std::move(made);
  }

  storage::Store& store() { return *store_; }
  storage::WriteView View() { return {*store_, store_->main(), 0, kNowMs}; }
  storage::CollectionLimits& limits() { return limits_; }

  // Puts what a body (type byte and value) holds at the key, or leaves everything as it is.
  Status Restore(ByteView body, ByteView name) {
    storage::WriteView view = View();
    const storage::Key key = view.MakeKey(name);
    storage::ScratchLine scratch(*store_);
    storage::WriteView aside(*store_, scratch.line(), 0, kNowMs);
    if (!store_->ReserveForWrite(0, 1)) return Error{ErrorCode::kOutOfMemory, "no room"};
    VERSO_TRY_STATUS(BuildDump(body, aside, key, limits_));
    if (!store_->ReserveForWrite(0, 1)) return Error{ErrorCode::kOutOfMemory, "no room"};
    view.PublishFrom(aside, key, storage::kNoDeadline, {"restore", 'g'});
    return {};
  }

  // The whole payload. Requires: the key is there.
  std::string Dump(ByteView name) {
    const storage::WriteView view = View();
    DumpWriter writer(view, *view.Find(view.MakeKey(name), storage::Access::kPeek));
    std::string payload;
    while (writer.Next(&payload)) {
    }
    return payload;
  }

  storage::Digest DigestOfAll() { return storage::DigestOf(View(), -1); }
  storage::Digest DigestOf(ByteView name) {
    const storage::WriteView view = View();
    return storage::DigestOfKey(view, view.MakeKey(name));
  }
  // Of one value: what its type's own audit finds. Empty: sound, or there is none.
  std::string Validate(ByteView name) {
    const storage::WriteView view = View();
    const auto value = view.Find(view.MakeKey(name), storage::Access::kPeek);
    if (!value) return "";
    const storage::TypeOps& ops = storage::TypeOpsOf(value->type);
    return ops.validate == nullptr ? "" : ops.validate(view.arena(), *value, view.secret());
  }
  std::string Audit() {
    store_->DrainBackground();
    return store_->Audit();
  }
  void Flush() { View().FlushAll(); }

 private:
  ManualClock clock_;
  std::unique_ptr<storage::Store> store_;
  storage::CollectionLimits limits_;
};

}  // namespace verso::persistence
