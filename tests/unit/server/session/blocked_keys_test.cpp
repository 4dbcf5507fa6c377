// Order of service, places kept, chains that wake each other, and that nothing is left behind. The
// host is a toy: a key holds a number of elements, each command takes one and may put one
// elsewhere.
#include "server/session/blocked_keys.h"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "storage/keyspace/keyspace.h"
#include "storage/memory/store.h"
#include "tests/support/test_store.h"

namespace verso::server {
namespace {

using storage::ValueType;

class Toy final : private BlockedKeys::Host {
 public:
  Toy() { store_ = storage::FreshStore(&clock_, 3); }
  ~Toy() {
    clients.clear();
    CHECK(keys.size() == 0);
    CHECK(keys.keys() == 0);
    CHECK(keys.deadlines() == 0);
  }

  // words: a name, then keys; "to:x" puts the element it takes at x.
  Session& Block(const std::vector<std::string>& words, uint64_t timeout_ms = 0,
                 bool wake_without_key = false) {
    Session& session = clients.emplace_back();
    std::vector<ByteView> arguments(words.begin(), words.end());
    Request request;
    request.arguments = arguments;
    size_t count = arguments.size() - 1;
    if (words.back().starts_with("to:")) --count;
    const storage::ReadView view = View();
    keys.Park(&session, request,
              {.first_key = 1,
               .key_count = count,
               .timeout_ms = timeout_ms,
               .wake_without_key = wake_without_key},
              1, view);
    return session;
  }
  void Put(const std::string& key, int elements = 1, ValueType type = ValueType::kList) {
    types[key] = type;
    contents[key] += elements;
    keys.KeyChanged(Place(key));
  }
  void Serve() { keys.Serve(*this); }
  storage::ReadView View() const { return {*store_, store_->main(), 0, now_ms}; }
  KeyPlace Place(const std::string& key) const {
    const storage::Key made = View().MakeKey(key);
    return {1, 0, key, made.hash};
  }

  BlockedKeys keys;
  std::deque<Session> clients;
  std::map<std::string, int> contents;
  std::map<std::string, ValueType> types;
  std::vector<std::string> served;  // "client from key"
  int runs = 0;
  uint64_t now_ms = 1000;

 private:
  std::optional<ValueType> TypeAt(const KeyPlace& place) override {
    const std::string key(place.key);
    if (contents[key] == 0) return std::nullopt;
    return types[key];
  }
  void RunAgain(ParkedCommand& command) override {
    ++runs;
    const auto words = command.request().arguments;
    for (size_t i = 1; i < words.size(); ++i) {
      const std::string key(words[i]);
      if (key.starts_with("to:") || contents[key] == 0) continue;
      --contents[key];
      served.push_back(std::string(words[0]) + " from " + key);
      if (words.back().starts_with("to:")) Put(std::string(words.back().substr(3)));
      command.session->parked.reset();
      return;
    }
  }

  ManualClock clock_;
  std::unique_ptr<storage::Store> store_;
};

using Served = std::vector<std::string>;

TEST_CASE("blocked: first come, first served, and only as many as there are elements") {
  Toy toy;
  toy.Block({"a", "k"});
  toy.Block({"b", "k"});
  toy.Block({"c", "k"});
  toy.Put("k", 2);
  toy.Put("nobody waits for this");
  CHECK(toy.keys.ready());
  toy.Serve();
  CHECK(toy.served == Served{"a from k", "b from k"});
  CHECK(toy.keys.size() == 1);
  CHECK_FALSE(toy.keys.ready());
  toy.Put("k");
  toy.Serve();
  CHECK(toy.served.back() == "c from k");
  CHECK(toy.keys.keys() == 0);
}

TEST_CASE("blocked: keys in the order they became ready; a client waits at all of its keys") {
  Toy toy;
  toy.Block({"a", "x", "y", "x"});
  toy.Block({"b", "y"});
  toy.Block({"c", "x"});
  toy.Put("y", 2);
  toy.Put("x");
  toy.Serve();
  CHECK(toy.served == Served{"a from x", "b from y"});  // a runs again from its first key
  CHECK(toy.keys.size() == 1);
  toy.Put("x");
  toy.Serve();
  CHECK(toy.served.back() == "c from x");
}

TEST_CASE("blocked: who finds nothing keeps its place") {
  Toy toy;
  toy.Block({"a", "k"});
  toy.Block({"b", "k"});
  toy.Put("k", 1);
  toy.contents["k"] = 0;  // gone again before the end of the unit
  toy.Serve();
  CHECK(toy.served.empty());
  CHECK(toy.runs == 0);
  toy.Put("k", 1, ValueType::kString);  // another type: they go on waiting
  toy.Serve();
  CHECK(toy.runs == 0);
  toy.Put("k", 0, ValueType::kList);
  toy.Serve();
  CHECK(toy.served == Served{"a from k"});
}

TEST_CASE("blocked: chains wake each other, in order, and end") {
  Toy toy;
  toy.Block({"a", "x", "to:y"});
  toy.Block({"b", "y", "to:z"});
  toy.Block({"c", "z", "to:x"});
  toy.Block({"d", "x", "to:x"});
  toy.Put("x");
  toy.Serve();
  CHECK(toy.served == Served{"a from x", "b from y", "c from z", "d from x"});
  CHECK(toy.contents["x"] == 1);
  CHECK(toy.keys.size() == 0);
}

TEST_CASE("blocked: one leaves while it waits, one while others are served") {
  Toy toy;
  Session& first = toy.Block({"a", "k"});
  toy.Block({"b", "k", "l"});
  first.parked.reset();
  CHECK(toy.keys.size() == 1);
  toy.Put("k");
  toy.Put("l");  // ready, but its only client is served at k
  toy.Serve();
  CHECK(toy.served == Served{"b from k"});
  CHECK(toy.keys.keys() == 0);
}

TEST_CASE("blocked: deadlines") {
  Toy toy;
  CHECK(toy.keys.next_deadline_ms() == BlockedKeys::kNever);
  toy.Block({"never", "k"});
  Session& late = toy.Block({"late", "k"}, 500);
  Session& soon = toy.Block({"soon", "k"}, 20);
  CHECK(toy.keys.deadlines() == 2);
  CHECK(toy.keys.next_deadline_ms() == 1020);
  CHECK(toy.keys.Overdue(1019) == nullptr);
  CHECK(toy.keys.Overdue(1020) == soon.parked.get());
  soon.parked.reset();
  CHECK(toy.keys.Overdue(2000) == late.parked.get());
  late.parked.reset();
  CHECK(toy.keys.Overdue(2000) == nullptr);
  CHECK(toy.keys.size() == 1);
}

TEST_CASE("blocked: a database changes; some wait for their key to go") {
  Toy toy;
  toy.Block({"a", "k"});
  toy.Block({"group", "g"}, 0, true);
  CHECK(toy.keys.keys_woken_without() == 1);
  toy.keys.DatabaseChanged(2, 0);
  toy.keys.DatabaseChanged(1, 1);
  CHECK_FALSE(toy.keys.ready());
  toy.contents["k"] = 1;
  toy.types["k"] = ValueType::kList;
  toy.keys.DatabaseChanged(1, -1);
  toy.Serve();
  CHECK(toy.served == Served{"a from k"});
  CHECK(toy.runs == 2);
}

TEST_CASE("blocked: a client parks again with the copy it has") {
  Toy toy;
  Session& session = toy.Block({"a", "k"}, 10);
  const storage::ReadView view = toy.View();
  toy.keys.Park(&session, session.parked->request(), {.timeout_ms = 500}, 1, view);
  CHECK(toy.keys.size() == 1);
  CHECK(toy.keys.deadlines() == 1);
  CHECK(toy.keys.next_deadline_ms() == toy.now_ms + 500);
  CHECK(session.parked->request().arguments[1] == "k");
  toy.Put("k");
  toy.Serve();
  CHECK(toy.served == Served{"a from k"});
}

TEST_CASE("blocked: arguments are copied, and may be rewritten") {
  Toy toy;
  Session session;
  std::string key = "k", id = "$";
  const ByteView words[] = {"xread", key, id};
  Request request;
  request.arguments = words;
  toy.keys.Park(&session, request, {.rewritten = {{2, "5-1"}}}, 1, toy.View());
  key = "x";
  id = "x";
  REQUIRE(session.parked->request().arguments.size() == 3);
  CHECK(session.parked->request().arguments[1] == "k");
  CHECK(session.parked->request().arguments[2] == "5-1");
  session.parked.reset();
}

}  // namespace
}  // namespace verso::server
