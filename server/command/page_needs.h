// While a restart brings pages back: what a request is about to read, so that it can wait for that
// outside the loop and others go ahead (storage/memory/page_probe.h). Its keys are known by the key
// specs of its row; EXEC's are those of what was queued. What else it reads (elements deep in large
// collections, the deadline index) it waits for where it stands.
#pragma once

#include "server/command/dispatcher.h"
#include "server/command/request.h"
#include "server/session/session.h"

namespace verso::server {

// A page that is on its way now; null: none is known to be missing.
storage::Ref MissingPage(Dispatcher& dispatcher, const Session& session, const Request& request);

}  // namespace verso::server
