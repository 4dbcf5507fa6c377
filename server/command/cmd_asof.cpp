// ASOF: one read in an earlier version.
#include "server/command/command_families.h"
#include "server/command/dispatcher.h"
#include "server/command/version_ref.h"

namespace verso::server {
namespace {

using storage::ReadView;

// The rest of a long read in a version that is held for it.
class AsofRest final : public Continuation {
 public:
  AsofRest(storage::PinHandle pin, const ReadView& view, std::unique_ptr<Continuation> rest)
      : pin_(std::move(pin)), view_(view), rest_(std::move(rest)) {}

  bool Run(const ReadView&, Slice& slice) override { return rest_->Run(view_, slice); }

 private:
  storage::PinHandle pin_;
  ReadView view_;
  std::unique_ptr<Continuation> rest_;
};

Outcome Asof(Dispatcher& dispatcher, CommandContext& context) {
  storage::Store& store = *dispatcher.state().store;
  VersionRef ref;
  if (!ReadRef(store, context, context[1], &ref)) return Outcome::kDone;
  Request request;
  request.arguments = context.arguments().subspan(2);
  request.entry = CommandTable::Get().Find(request.arguments[0]);
  for (const ByteView word : request.arguments) request.bytes += word.size();
  if (const std::string fault = dispatcher.Resolve(&request); !fault.empty()) {
    return context.Fail(fault);
  }
  if (!std::holds_alternative<ReadHandler>(request.entry->row->run)) {
    return context.Fail("VIEWREADONLY '" + request.entry->full_name +
                        "' is no command that reads keys: only those can be run in a version");
  }
  const int db = context.session().db;
  const uint64_t now_ms = dispatcher.state().now_ms;
  // The head of a branch is pinned only for what goes on: most reads do not.
  storage::PinHandle pin;
  storage::Line* line = nullptr;
  if (ref.snapshot != nullptr) pin = HoldRef(store, ref, now_ms, &line);
  const ReadView view = pin ? ReadView(store, pin.root(), db, pin.moment_ms())
                            : ReadView(store, *ref.branch->line, db, now_ms);
  std::unique_ptr<Continuation> rest;
  dispatcher.RunInUnit(request, context.session(), context.reply(), &rest, &view);
  if (rest == nullptr) return Outcome::kDone;
  if (!pin) pin = HoldRef(store, ref, now_ms, &line);
  const ReadView pinned(store, pin.root(), db, pin.moment_ms());
  return context.Yield(std::make_unique<AsofRest>(std::move(pin), pinned, std::move(rest)));
}

constexpr ArgSpec kArgs[] = {
    {.name = "ref"},
    {.name = "command"},
    {.name = "arg", .flags = kOptional | kMultiple},
};
constexpr CommandSpec kRows[] = {
    {.name = "asof",
     .arity = -3,
     .flags = kReadonly | kNoScript | kMovableKeys,
     .group = Group::kGeneric,
     .args = kArgs,
     .since = "0.1.0",
     .complexity = "That of the command",
     .summary = "Runs a command that reads in an earlier version.",
     .run = &Asof},
};
static_assert(CommandRowsProblem(kRows) == nullptr);

}  // namespace

const CommandFamily kAsofCommands = kRows;

}  // namespace verso::server
