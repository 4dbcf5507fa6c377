// verso::Client against a scripted peer: what it sends, what it makes of the answers, and what a
// silent, broken or vanished peer does to it.
#include "client/include/verso/client.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/client/fake_server.h"

namespace verso {
namespace {

using client::ErrorCode;
using test::FakePeer;
using test::FakeServer;

Client::Options PlainOptions(uint16_t port) {
  Client::Options options;
  options.port = port;
  options.resp_version = 2;
  options.command_timeout = std::chrono::seconds(20);
  return options;
}

// A server that expects each request and gives its answer; ok tells whether all were as expected.
struct Exchange {
  std::string request;
  std::string answer;
};

FakeServer::Script Talk(std::vector<Exchange> exchanges, std::atomic<bool>* ok) {
  *ok = false;
  return [exchanges = std::move(exchanges), ok](FakePeer& peer) {
    bool all_expected = true;
    for (size_t i = 0; i < exchanges.size(); ++i) {
      all_expected = peer.Expect(exchanges[i].request) && all_expected;
      if (i + 1 == exchanges.size()) *ok = all_expected;  // before the client can look
      peer.Reply(exchanges[i].answer);
    }
    peer.Drain();
  };
}

TEST_CASE("client: set up of RESP3 with user, password and database is one round trip") {
  std::atomic<bool> ok;
  FakeServer server(
      {Talk({{"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\nada\r\n$2\r\npw\r\n"
              "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n",
              "%1\r\n+proto\r\n:3\r\n+OK\r\n"}},
            &ok)});
  Client::Options options = PlainOptions(server.port());
  options.resp_version = 3;
  options.user = "ada";
  options.password = "pw";
  options.db = 7;
  auto client = Client::Connect(options);
  REQUIRE(client);
  CHECK(client->is_connected());
  CHECK(ok);
}

TEST_CASE("client: a refused password is the server's error and no connection") {
  std::atomic<bool> ok;
  FakeServer server({Talk({{"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "-WRONGPASS no\r\n"}}, &ok)});
  Client::Options options = PlainOptions(server.port());
  options.password = "pw";
  auto client = Client::Connect(options);
  REQUIRE(!client);
  CHECK(client.error().code == ErrorCode::kServer);
  CHECK(client.error().message == "WRONGPASS no");
}

TEST_CASE("client: nobody listens") {
  uint16_t free_port = 0;
  {
    FakeServer probe({});
    free_port = probe.port();
  }
  auto client = Client::Connect(PlainOptions(free_port));
  REQUIRE(!client);
  CHECK(client.error().code == ErrorCode::kConnect);
}

TEST_CASE("client: an unknown RESP version is refused before connecting") {
  Client::Options options;
  options.resp_version = 4;
  auto client = Client::Connect(options);
  REQUIRE(!client);
  CHECK(client.error().code == ErrorCode::kArgument);
}

TEST_CASE("client: typed helpers send the command and read the reply") {
  std::atomic<bool> ok;
  FakeServer server(
      {Talk({{"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$1\r\nv\r\n"},
             {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$-1\r\n"},
             {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "-WRONGTYPE list\r\n"},
             {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", ":1\r\n"},
             {"*6\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nPX\r\n$4\r\n2000\r\n$2\r\nNX\r\n",
              "$-1\r\n"},
             {"*3\r\n$6\r\nINCRBY\r\n$1\r\nn\r\n$2\r\n-5\r\n", ":37\r\n"},
             {"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n$1\r\nx\r\n$-1\r\n"},
             {"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n", "+OK\r\n"},
             {"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n", ":1\r\n"},
             {"*3\r\n$7\r\nPEXPIRE\r\n$1\r\na\r\n$4\r\n1500\r\n", ":0\r\n"},
             {"*2\r\n$4\r\nPTTL\r\n$1\r\na\r\n", ":-2\r\n"},
             {"*2\r\n$4\r\nPTTL\r\n$1\r\na\r\n", ":-1\r\n"},
             {"*2\r\n$4\r\nPTTL\r\n$1\r\na\r\n", ":250\r\n"},
             {"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"},
             {"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n", "$3\r\na:b\r\n"}},
            &ok)});
  auto client = Client::Connect(PlainOptions(server.port()));
  REQUIRE(client);
  CHECK(client->Get("k").value() == "v");
  CHECK(client->Get("k").value() == std::nullopt);
  CHECK(client->Get("k").error().code == ErrorCode::kServer);
  CHECK(client->Get("k").error().code == ErrorCode::kType);
  CHECK(client->Set("k", "v", {.ttl = std::chrono::seconds(2), .if_absent = true}).value() ==
        false);
  CHECK(client->Incr("n", -5).value() == 37);
  const std::string_view keys[] = {"a", "b"};
  CHECK(client->MGet(keys).value() == std::vector<std::optional<std::string>>{"x", std::nullopt});
  const std::pair<std::string_view, std::string_view> pairs[] = {{"a", "1"}, {"b", "2"}};
  CHECK(client->MSet(pairs));
  CHECK(client->Del("a").value());
  CHECK(!client->Expire("a", std::chrono::milliseconds(1500)).value());
  CHECK(!client->TTL("a").value().exists);
  CHECK(!client->TTL("a").value().left);
  CHECK(client->TTL("a").value().left == std::chrono::milliseconds(250));
  CHECK(client->Ping());
  CHECK(client->Info("server").value() == "a:b");
  CHECK(ok);
}

TEST_CASE("client: a pipeline keeps order and an error for each reply") {
  std::atomic<bool> ok;
  FakeServer server({Talk({{"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*1\r\n$3\r\nBAD\r\n*2\r\n$4\r\nECHO\r\n"
                            "$1\r\n9\r\n",
                            ":1\r\n-ERR bad\r\n$1\r\n9\r\n"}},
                          &ok)});
  auto client = Client::Connect(PlainOptions(server.port()));
  REQUIRE(client);
  Pipeline pipeline;
  pipeline.Add("INCR", "a").Add("BAD").Add("ECHO", 9);
  CHECK(pipeline.size() == 3);
  auto replies = client->Run(pipeline);
  REQUIRE(replies);
  REQUIRE(replies->size() == 3);
  CHECK((*replies)[0]->integer() == 1);
  CHECK((*replies)[1].error().message == "ERR bad");
  CHECK((*replies)[2]->text() == "9");
  CHECK(ok);
  CHECK(client->CommandArgs({}).error().code == ErrorCode::kArgument);
}

TEST_CASE("client: a pipeline does not deadlock with a server that answers before it reads on") {
  // Both directions carry far more than the socket buffers: the peer reads one command, then writes
  // its whole reply, so a client that only wrote would wait for ever.
  constexpr size_t kCommands = 64;
  const std::string payload(1 << 20, 'x');
  FakeServer server({[&](FakePeer& peer) {
    const std::string request = "*2\r\n$4\r\nECHO\r\n$1048576\r\n" + payload + "\r\n";
    for (size_t i = 0; i < kCommands; ++i) {
      if (!peer.Expect(request)) return;
      peer.Reply("$1048576\r\n" + payload + "\r\n");
    }
    peer.Drain();
  }});
  auto client = Client::Connect(PlainOptions(server.port()));
  REQUIRE(client);
  Pipeline pipeline;
  for (size_t i = 0; i < kCommands; ++i) pipeline.Add("ECHO", payload);
  auto replies = client->Run(pipeline);
  REQUIRE(replies);
  REQUIRE(replies->size() == kCommands);
  for (auto& reply : *replies) CHECK(reply->text() == payload);
}

TEST_CASE("client: push messages go to the handler and never count as replies") {
  std::atomic<bool> ok;
  FakeServer server({Talk({{"*1\r\n$4\r\nPING\r\n", ">2\r\n+invalidate\r\n+k\r\n+PONG\r\n"},
                           {"*1\r\n$4\r\nPING\r\n", "+PONG\r\n>1\r\n+late\r\n"}},
                          &ok)});
  auto client = Client::Connect(PlainOptions(server.port()));
  REQUIRE(client);
  std::vector<std::string> pushes;
  client->OnPush([&](const Reply& push) { pushes.push_back(push.elements()[0].text()); });
  CHECK(client->Command("PING")->text() == "PONG");
  CHECK(pushes == std::vector<std::string>{"invalidate"});
  Pipeline ping;
  ping.Add("PING");
  REQUIRE(client->Send(ping));
  CHECK(client->Receive()->text() == "PONG");
  CHECK(client->Receive()->kind() == Reply::Kind::kPush);
  CHECK(ok);
}

TEST_CASE("client: a silent server is a timeout, which closes the connection") {
  std::atomic<bool> ok;
  FakeServer server(
      {[](FakePeer& peer) { peer.Drain(); }, Talk({{"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"}}, &ok)});
  Client::Options options = PlainOptions(server.port());
  options.command_timeout = std::chrono::milliseconds(50);
  auto client = Client::Connect(options);
  REQUIRE(client);
  CHECK(client->Command("PING").error().code == ErrorCode::kTimeout);
  CHECK(!client->is_connected());
  CHECK(client->Command("PING").error().code == ErrorCode::kClosed);
  REQUIRE(client->Reconnect());
  CHECK(client->Ping());
}

TEST_CASE("client: a server that hangs up in the middle of a reply") {
  FakeServer server({[](FakePeer& peer) {
    peer.Expect("*1\r\n$4\r\nPING\r\n");
    peer.Reply("$10\r\nhalf");
  }});
  auto client = Client::Connect(PlainOptions(server.port()));
  REQUIRE(client);
  CHECK(client->Command("PING").error().code == ErrorCode::kClosed);
  CHECK(!client->is_connected());
}

TEST_CASE("client: a peer that does not speak RESP") {
  std::atomic<bool> ok;
  FakeServer server({Talk({{"*1\r\n$4\r\nPING\r\n", "HTTP/1.1 400 Bad Request\r\n"}}, &ok)});
  auto client = Client::Connect(PlainOptions(server.port()));
  REQUIRE(client);
  CHECK(client->Command("PING").error().code == ErrorCode::kProtocol);
  CHECK(!client->is_connected());
}

TEST_CASE("client: a raised interrupt ends the wait") {
  FakeServer server({[](FakePeer& peer) { peer.Drain(); }});
  std::atomic<bool> interrupt = false;
  Client::Options options = PlainOptions(server.port());
  options.interrupt = &interrupt;
  auto client = Client::Connect(options);
  REQUIRE(client);
  interrupt = true;
  CHECK(client->Command("BLPOP", "k", 0).error().code == ErrorCode::kInterrupted);
  CHECK(!client->is_connected());
}

}  // namespace
}  // namespace verso
