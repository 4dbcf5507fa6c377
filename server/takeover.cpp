#include "server/takeover.h"

#include <utility>

#include "server/command/arg_reader.h"
#include "server/command/error_reply.h"
#include "server/logging.h"
#include "server/server.h"
#include "storage/base/monotonic_time.h"

namespace verso::server {
namespace {

using Found = AppendOnlyReader::Found;

constexpr uint64_t kSliceUs = 5000;
constexpr int kCommandsPerLook = 16;  // at the clock

// A time that counts from when the command runs. Redis writes none: it would be another one at each
// start.
bool HasRelativeTime(std::string_view name, std::span<const ByteView> arguments) {
  const auto has = [&arguments](size_t from, ByteView a, ByteView b) {
    for (size_t i = from; i < arguments.size(); ++i) {
      if (EqualsIgnoreCase(arguments[i], a) || EqualsIgnoreCase(arguments[i], b)) return true;
    }
    return false;
  };
  if (name == "expire" || name == "pexpire" || name == "setex" || name == "psetex") return true;
  if (name == "set") return has(3, "ex", "px");
  if (name == "getex") return has(2, "ex", "px");
  if (name == "restore") return arguments[2] != "0" && !has(4, "absttl", "absttl");
  return false;
}

}  // namespace

Status Takeover::Start(RedisFiles files) {
  source_ = std::move(files);
  files_.clear();
  for (const std::string& path : source_.paths) {
    auto file = std::make_unique<File>();
    VERSO_TRY_STATUS(file->reader.Open(path));
    const bool first = files_.empty();
    if (first && source_.has_base) {
      if (file->reader.bytes() == 0) return file->reader.Fault("it is empty");
      VERSO_TRY(file->dump, file->reader.BeginsWithDump());
      if (!file->dump && !source_.append_only) {
        return file->reader.Fault("this is no RDB file");
      }
    }
    file->reader.Seek(0);
    files_.push_back(std::move(file));
  }
  began_ms_ = server_->clock().NowMs();
  dump_keys_ = commands_ = 0;
  at_ = 0;
  db_ = 0;
  in_multi_ = false;
  step_ = Step::kCheck;
  LogNotice("{}: taken over from Redis, {} file{}", source_.name, files_.size(),
            files_.size() == 1 ? "" : "s");
  return {};
}

bool Takeover::Work() {
  if (step_ == Step::kIdle || step_ == Step::kDump) return false;
  const Status advanced = Advance(MonotonicUs() + kSliceUs);
  if (!advanced) {
    step_ = Step::kIdle;
    server_->LoadFailed(advanced.error().context);
  }
  return step_ == Step::kCheck || step_ == Step::kApply;
}

Status Takeover::Advance(uint64_t until_us) {
  const uint64_t maxmemory = server_->state().settings.maxmemory;
  if (maxmemory != 0 && server_->state().used_memory() > maxmemory) {
    return Error{ErrorCode::kOutOfMemory, source_.name + ": it does not fit into maxmemory"};
  }
  if (step_ == Step::kApply) return ApplySome(until_us);
  return CheckSome(until_us);
}

Status Takeover::BeginDump() {
  step_ = Step::kDump;
  File& base = *files_[0];
  base.reader.Seek(0);
  return server_->transfers().StartLoad(base.reader.path(), source_.append_only);
}

void Takeover::DumpLoaded(uint64_t bytes, uint64_t keys) {
  File& base = *files_[0];
  base.dump = false;
  base.checked = bytes == base.reader.bytes();
  base.begin = base.end = bytes;
  base.reader.Seek(bytes);
  dump_keys_ = keys;
  LogNotice("{}: {} keys", base.reader.path(), keys);
  at_ = 0;
  step_ = Step::kCheck;
}

// ---- checking

Status Takeover::CheckSome(uint64_t until_us) {
  for (; at_ < files_.size(); ++at_) {
    File& file = *files_[at_];
    while (!file.checked && !file.dump) {
      for (int i = 0; i < kCommandsPerLook && !file.checked; ++i) {
        VERSO_TRY(const Found found, file.reader.Next());
        VERSO_TRY_STATUS(CheckOne(file, found));
      }
      if (MonotonicUs() >= until_us) return {};
    }
  }
  if (files_[0]->dump) return BeginDump();
  at_ = 0;
  db_ = 0;
  replay_ = std::make_unique<EffectReplay>(&server_->dispatcher(), &server_->state());
  files_[0]->reader.Seek(files_[0]->begin);
  step_ = Step::kApply;
  return {};
}

Status Takeover::CheckOne(File& file, Found found) {
  if (found == Found::kCommand) return CheckCommand(file);
  return EndCheck(file, found == Found::kTorn);
}

Status Takeover::CheckCommand(File& file) {
  Request request;
  request.arguments = file.reader.command();
  request.entry = CommandTable::Get().Find(request.arguments[0]);
  if (std::string fault = server_->dispatcher().Resolve(&request); !fault.empty()) {
    return file.reader.Fault(fault);
  }
  const std::string_view name = request.entry->full_name;
  const CommandSpec& row = *request.entry->row;
  if (name == "multi") {
    if (in_multi_) return file.reader.Fault("MULTI inside MULTI");
    in_multi_ = true;
    multi_begin_ = file.reader.begin();
  } else if (name == "exec") {
    if (!in_multi_) return file.reader.Fault("EXEC without MULTI");
    in_multi_ = false;
  } else if (name == "select") {
    int64_t db = 0;
    if (!ParseInteger(request.arguments[1], &db) || db < 0 ||
        db >= server_->state().environment.databases) {
      return file.reader.Fault(
          "'SELECT " + std::string(request.arguments[1]) + "': there are only " +
          std::to_string(server_->state().environment.databases) + " databases");
    }
  } else if (HasRelativeTime(name, request.arguments)) {
    return file.reader.Fault("'" + std::string(name) +
                             "' with a time that counts from now: no Redis writes that");
  } else if (!row.Has(kWrite) && !std::holds_alternative<ReadHandler>(row.run)) {
    return file.reader.Fault("'" + std::string(name) + "' is no command that changes data");
  }
  file.end = file.reader.end();
  return {};
}

Status Takeover::EndCheck(File& file, bool torn) {
  AppendOnlyReader& reader = file.reader;
  const uint64_t end = in_multi_ ? multi_begin_ : reader.begin();
  if (torn || in_multi_) {
    const std::string what = in_multi_ ? "the file ends within a MULTI that begins at offset " +
                                             std::to_string(multi_begin_)
                                       : "the file ends within a command";
    if (&file != files_.back().get()) {
      return reader.Fault(what + ", and is not the last one");
    }
    if (!server_->state().settings.aof_load_truncated) {
      return reader.Fault(what + " (aof-load-truncated is no)");
    }
    LogWarning("{}, offset {}: {}; the last {} bytes are left out", reader.path(), end, what,
               reader.bytes() - end);
  }
  file.end = end;
  file.checked = true;
  in_multi_ = false;
  reader.Seek(file.begin);
  return {};
}

// ---- applying

Status Takeover::ApplySome(uint64_t until_us) {
  while (at_ < files_.size()) {
    File& file = *files_[at_];
    for (int i = 0; i < kCommandsPerLook && file.reader.end() < file.end; ++i) {
      VERSO_TRY(const Found found, file.reader.Next());
      if (found != Found::kCommand) return file.reader.Fault("the file has changed meanwhile");
      VERSO_TRY_STATUS(ApplyCommand(file));
    }
    if (file.reader.end() >= file.end) {
      file.reader.Seek(file.end);
      db_ = 0;  // each begins anew
      if (++at_ < files_.size()) files_[at_]->reader.Seek(files_[at_]->begin);
    }
    if (MonotonicUs() >= until_us) return {};
  }
  Finish();
  return {};
}

Status Takeover::ApplyCommand(File& file) {
  const std::span<const ByteView> arguments = file.reader.command();
  const CommandEntry* entry = CommandTable::Get().Find(arguments[0]);
  if (entry == nullptr) return file.reader.Fault("the file has changed meanwhile");
  if (entry->full_name == "select") {
    int64_t db = 0;
    if (arguments.size() == 2 && ParseInteger(arguments[1], &db)) db_ = static_cast<int>(db);
    return {};
  }
  if (entry->full_name == "multi" || entry->full_name == "exec" ||
      std::holds_alternative<ReadHandler>(entry->row->run)) {
    return {};
  }
  const std::span<const ByteView> unit[] = {arguments};
  const uint32_t main = server_->store().main().id();
  const Status applied = replay_->Apply(main, db_, TimeOf(*entry, arguments), unit);
  if (!applied) {
    Error error = file.reader.Fault(applied.error().context);
    error.code = applied.error().code;
    return error;
  }
  ++commands_;
  return {};
}

// O4: what streams keep of when a consumer was seen and an entry delivered shall be now, as in
// Redis, and not later than now. A stream whose own time has come goes at the end anyway.
uint64_t Takeover::TimeOf(const CommandEntry& entry, std::span<const ByteView> arguments) const {
  constexpr uint64_t kBeginning = 0;
  if (entry.row->group != Group::kStream) return kBeginning;
  const size_t index = entry.subcommands.empty() ? 1 : 2;
  if (index >= arguments.size()) return kBeginning;
  const ServerState& state = server_->state();
  const storage::ReadView view(*state.store, state.store->main(), db_, kBeginning);
  const auto value = view.Find(view.MakeKey(arguments[index]), storage::Access::kPeek);
  const bool past = value && value->deadline_ms <= state.now_ms;
  return past ? kBeginning : state.now_ms;
}

void Takeover::Finish() {
  step_ = Step::kIdle;
  replay_.reset();
  files_.clear();
  LogNotice("{}: taken over in {} ms: {} keys of a dump, {} commands", source_.name,
            server_->clock().NowMs() - began_ms_, dump_keys_, commands_);
  server_->TakenOver();
}

}  // namespace verso::server
