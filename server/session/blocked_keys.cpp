#include "server/session/blocked_keys.h"

#include "storage/keyspace/keyspace.h"

namespace verso::server {

// One client at one key.
struct Waiter {
  ParkedCommand* command;
  BlockedKeys::Entry* key;
  Waiter* next = nullptr;
  Waiter* previous = nullptr;
};

namespace {

std::pmr::polymorphic_allocator<> Allocator() {
  return std::pmr::polymorphic_allocator<>(ClientMemory());
}

}  // namespace

void ParkedCommandDelete::operator()(ParkedCommand* command) const {
  Allocator().delete_object(command);
}

ParkedCommand::~ParkedCommand() { keys->Leave(this); }

void BlockedKeys::Park(Session* session, const Request& request, const Parking& parking,
                       storage::LineId line, const storage::ReadView& view) {
  ParkedCommand* const command = Allocator().new_object<ParkedCommand>(this);
  command->session = session;
  command->command.Add(request);
  for (const auto& [index, text] : parking.rewritten) command->command.Rewrite(0, index, text);
  command->type = parking.type;
  command->wake_without_key = parking.wake_without_key;
  command->timeout = deadlines_.end();
  if (parking.timeout_ms != 0) {
    command->deadline_ms = view.moment_ms() + parking.timeout_ms;
    command->timeout = deadlines_.emplace(command->deadline_ms, command);
  }
  ++clients_;
  for (size_t i = 0; i < parking.key_count; ++i) {
    const storage::Key key = view.MakeKey(request.arguments[parking.first_key + i]);
    AddWaiter(command, {line, view.db(), key.bytes, key.hash});
  }
  // Last: the request may stand in what the session has waited with until now.
  session->parked.reset(command);
}

void BlockedKeys::AddWaiter(ParkedCommand* command, const KeyPlace& place) {
  auto found = keys_.find(place);
  if (found == keys_.end()) found = keys_.emplace(OwnedKeyPlace(place), Waiters()).first;
  Waiters& waiters = found->second;
  // The same key twice in one command.
  if (waiters.last != nullptr && waiters.last->command == command) return;
  auto* waiter = Allocator().new_object<Waiter>(Waiter{command, &*found, nullptr, waiters.last});
  (waiters.last != nullptr ? waiters.last->next : waiters.first) = waiter;
  waiters.last = waiter;
  command->waiters.push_back(waiter);
}

void BlockedKeys::Leave(ParkedCommand* command) {
  for (Waiter* waiter : command->waiters) {
    Waiters& waiters = waiter->key->second;
    if (waiters.next_served == waiter) waiters.next_served = waiter->next;
    (waiter->previous != nullptr ? waiter->previous->next : waiters.first) = waiter->next;
    (waiter->next != nullptr ? waiter->next->previous : waiters.last) = waiter->previous;
    DropIfUnused(waiter->key);
    Allocator().delete_object(waiter);
  }
  command->waiters.clear();
  if (command->timeout != deadlines_.end()) deadlines_.erase(command->timeout);
  command->timeout = deadlines_.end();
  --clients_;
}

void BlockedKeys::DropIfUnused(Entry* entry) {
  const Waiters& waiters = entry->second;
  if (waiters.first != nullptr || waiters.ready || waiters.serving) return;
  keys_.erase(keys_.find(entry->first));
}

void BlockedKeys::MakeReady(Entry* entry) {
  if (entry->second.ready) return;
  entry->second.ready = true;
  ready_.push_back(entry);
}

void BlockedKeys::KeyChanged(const KeyPlace& place) {
  const auto found = keys_.find(place);
  if (found != keys_.end()) MakeReady(&*found);
}

void BlockedKeys::DatabaseChanged(storage::LineId line, int db) {
  for (Entry& entry : keys_) {
    if (entry.first.line == line && (db < 0 || entry.first.db == db)) MakeReady(&entry);
  }
}

void BlockedKeys::LineReplaced(storage::LineId from, storage::LineId to) {
  std::vector<Map::node_type> moved;  // entries keep their addresses
  for (auto at = keys_.begin(); at != keys_.end();) {
    const auto entry = at++;
    if (entry->first.line == from) moved.push_back(keys_.extract(entry));
  }
  for (Map::node_type& node : moved) {
    node.key().line = to;
    keys_.insert(std::move(node));
  }
}

void BlockedKeys::Serve(Host& host) {
  for (size_t i = 0; i < ready_.size(); ++i) {  // B3: it may grow meanwhile
    Entry* const entry = ready_[i];
    Waiters& waiters = entry->second;
    waiters.ready = false;
    waiters.serving = true;
    waiters.next_served = waiters.first;
    while (waiters.next_served != nullptr) {
      ParkedCommand& command = *waiters.next_served->command;
      waiters.next_served = waiters.next_served->next;
      if (command.wake_without_key || host.TypeAt(entry->first) == command.type) {
        host.RunAgain(command);
      }
    }
    waiters.serving = false;
    DropIfUnused(entry);
  }
  ready_.clear();
}

size_t BlockedKeys::keys_woken_without() const {
  size_t count = 0;
  for (const Entry& entry : keys_) {
    for (const Waiter* waiter = entry.second.first; waiter != nullptr; waiter = waiter->next) {
      if (!waiter->command->wake_without_key) continue;
      ++count;
      break;
    }
  }
  return count;
}

}  // namespace verso::server
