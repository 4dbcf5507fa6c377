// Commands through a dispatcher without a socket: what every host of it in tests needs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/command/dispatcher.h"
#include "server/resp/output_chain.h"
#include "server/session/session.h"
#include "tests/support/test_store.h"

namespace verso::server {

// Valid as long as `words` are.
inline Request RequestOf(const std::vector<ByteView>& words) {
  Request request;
  request.entry = CommandTable::Get().Find(words[0]);
  request.arguments = words;
  for (const ByteView word : words) request.bytes += word.size();
  return request;
}

inline std::string TakeText(OutputChain* out) {
  std::string text;
  iovec pieces[64];
  while (!out->empty()) {
    const size_t count = out->Gather(pieces, 64);
    size_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
      text.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      bytes += pieces[i].iov_len;
    }
    out->Consume(bytes);
  }
  return text;
}

// One for all: making one for each request would mostly be the kernel's work.
inline BufferPool& BuffersOfTests() {
  static BufferPool pool;
  return pool;
}

// The reply, with what is run later run to its end on a pinned version, as the event loop does it:
// run_rest(continuation, view, reply).
template <typename RunRest>
std::string RunRequest(Dispatcher* dispatcher, const ServerState& state, Session& session,
                       const Request& request, Outcome* outcome, const RunRest& run_rest) {
  OutputChain out(&BuffersOfTests());
  ReplyWriter reply(&out, session.protocol);
  std::unique_ptr<Continuation> rest;
  *outcome = dispatcher->Run(request, session, reply, &rest);
  if (*outcome == Outcome::kYield) {
    storage::Store& store = *state.store;
    storage::PinHandle pin;
    if (session.txn == nullptr) pin = store.PinForRead(state.LineOf(session), state.now_ms);
    run_rest(*rest,
             session.txn != nullptr
                 ? session.txn->View(session.db)
                 : storage::ReadView(store, pin.root(), session.db, pin.moment_ms()),
             reply);
  }
  rest.reset();
  return TakeText(&out);
}

}  // namespace verso::server
