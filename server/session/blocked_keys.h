// BlockedKeys: clients that wait for a key to hold something, and for how long.
//
//   keys:      place ──> clients in the order they came (FIFO)         ready: keys that changed
//   deadlines: time  ──> client
//
//   running ──Outcome::kParked──> parked ──Serve: ran again, has a reply──────────┐
//                                   ├──time is up, CLIENT UNBLOCK: Host decides───┤──> running
//                                   └──disconnect, CLIENT KILL──> gone            │
//                                      └──Serve: ran again, found nothing──> parked, same place
//
// B1 KeyChanged only notes the key. Serve() runs after the command, or the whole EXEC, that changed
//    it: a key that is gone again by then wakes nobody.
// B2 Keys are served in the order they became ready, the clients of a key in the order they came. A
//    client that finds nothing keeps its place.
// B3 A key that becomes ready while others are served (BLMOVE into a list somebody waits for) is
//    served after them. It ends: each step but finitely many answers a client.
// B4 Nobody waits: size() is 0, and the caller asks nothing else.
#pragma once

#include <map>
#include <memory_resource>
#include <optional>
#include <vector>

#include "server/command/parking.h"
#include "server/session/command_queue.h"
#include "server/session/key_place.h"
#include "server/session/session.h"

namespace verso::storage {
class ReadView;
}

namespace verso::server {

class BlockedKeys;
struct Waiter;

// The command a client waits with. Its session owns it; destroyed, it waits no more.
struct ParkedCommand {
  explicit ParkedCommand(BlockedKeys* owner) : keys(owner), waiters(ClientMemory()) {}
  ~ParkedCommand();
  ParkedCommand(const ParkedCommand&) = delete;
  ParkedCommand& operator=(const ParkedCommand&) = delete;

  const Request& request() const { return command[0]; }
  // It waits for no key but for the end of CLIENT PAUSE.
  bool held() const { return waiters.empty(); }

  BlockedKeys* keys;
  Session* session = nullptr;
  CommandQueue command;
  storage::ValueType type = storage::ValueType::kList;
  bool wake_without_key = false;
  uint64_t deadline_ms = ~uint64_t{0};
  std::pmr::multimap<uint64_t, ParkedCommand*>::iterator timeout;  // if it has a deadline
  std::pmr::vector<Waiter*> waiters;
};

class BlockedKeys {
 public:
  static constexpr uint64_t kNever = ~uint64_t{0};

  class Host {
   public:
    // What is at the place now, if there is anything.
    virtual std::optional<storage::ValueType> TypeAt(const KeyPlace& place) = 0;
    // Runs the command again; it may have an answer (then its session lets it go) or wait on.
    virtual void RunAgain(ParkedCommand& command) = 0;

   protected:
    ~Host() = default;
  };

  BlockedKeys() : keys_(ClientMemory()), ready_(ClientMemory()), deadlines_(ClientMemory()) {}
  BlockedKeys(const BlockedKeys&) = delete;
  BlockedKeys& operator=(const BlockedKeys&) = delete;

  // The session waits with this request. `view` names the line's database and the moment.
  void Park(Session* session, const Request& request, const Parking& parking, storage::LineId line,
            const storage::ReadView& view);

  void KeyChanged(const KeyPlace& place);
  void DatabaseChanged(storage::LineId line, int db);  // db -1: all
  // Who waits for keys of `from` waits for those of `to` now.
  void LineReplaced(storage::LineId from, storage::LineId to);

  bool ready() const { return !ready_.empty(); }
  void Serve(Host& host);

  // kNever: nobody has a deadline.
  uint64_t next_deadline_ms() const {
    return deadlines_.empty() ? kNever : deadlines_.begin()->first;
  }
  // The first one whose time is up; null if there is none.
  ParkedCommand* Overdue(uint64_t now_ms) const {
    return next_deadline_ms() <= now_ms ? deadlines_.begin()->second : nullptr;
  }

  size_t size() const { return clients_; }
  size_t keys() const { return keys_.size(); }
  size_t keys_woken_without() const;  // those that somebody waits for to go, too
  size_t deadlines() const { return deadlines_.size(); }

 private:
  friend struct ParkedCommand;
  friend struct Waiter;
  struct Waiters {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    Waiter* next_served = nullptr;  // while Serve() is at this key
    bool ready = false;
    bool serving = false;
  };
  using Map = KeyPlaceMap<Waiters>;
  using Entry = Map::value_type;

  void AddWaiter(ParkedCommand* command, const KeyPlace& place);
  void Leave(ParkedCommand* command);
  void MakeReady(Entry* entry);
  void DropIfUnused(Entry* entry);

  Map keys_;
  std::pmr::vector<Entry*> ready_;
  std::pmr::multimap<uint64_t, ParkedCommand*> deadlines_;
  size_t clients_ = 0;
};

}  // namespace verso::server
