#include "client/cli/save_progress.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "tests/unit/client/fake_server.h"

namespace verso::cli {
namespace {

using test::FakePeer;
using test::FakeServer;

std::string Info(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

struct Outcome {
  int status;
  std::string out;
  std::string errors;
};

std::string ReadBack(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

// Runs a save against a server that answers BGSAVE and then each INFO with these.
Outcome RunSave(const std::string& bgsave_answer, const std::vector<std::string>& infos) {
  FakeServer server({[&](FakePeer& peer) {
    peer.Expect("*1\r\n$6\r\nBGSAVE\r\n");
    peer.Reply(bgsave_answer);
    for (const std::string& info : infos) {
      peer.Expect("*2\r\n$4\r\nINFO\r\n$11\r\npersistence\r\n");
      peer.Reply(Info(info));
    }
    peer.Drain();
  }});
  Client::Options options;
  options.port = server.port();
  options.resp_version = 2;
  options.command_timeout = std::chrono::seconds(20);
  auto client = Client::Connect(options);
  REQUIRE(client);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), std::fclose);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> errors(std::tmpfile(), std::fclose);
  const int status = SaveAndWait(*client, false, out.get(), errors.get());
  return {status, ReadBack(out.get()), ReadBack(errors.get())};
}

TEST_CASE("save progress: what INFO says") {
  const auto status = ParseSaveStatus(
      "# Persistence\r\nrdb_bgsave_in_progress:1\r\nrdb_last_bgsave_status:err\r\n"
      "save_progress:0.25\r\nsave_pages_written:12\r\nsave_bytes_written:3456\r\n"
      "save_last_error:disk full: /data\r\n");
  REQUIRE(status);
  CHECK(status->in_progress);
  CHECK(!status->last_ok);
  CHECK(status->fraction == 0.25);
  CHECK(status->pages_written == 12);
  CHECK(status->bytes_written == 3456);
  CHECK(status->error == "disk full: /data");
  CHECK(ParseSaveStatus("rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\n"
                        "save_progress:40\r\n")
            ->fraction == 0.4);
  CHECK(!ParseSaveStatus("rdb_bgsave_in_progress:0\nrdb_last_bgsave_status:ok\n")->fraction);
  CHECK(!ParseSaveStatus("role:master\r\n"));
  CHECK(!ParseSaveStatus(""));
}

TEST_CASE("save progress: the line") {
  SaveStatus status;
  CHECK(ProgressLine(status, std::chrono::milliseconds(1300)) == "saving  1.3 s");
  status.fraction = 0.5;
  status.pages_written = 1200;
  status.bytes_written = 5 << 20;
  CHECK(ProgressLine(status, std::chrono::milliseconds(40)) ==
        "[###############---------------]  50.0%  1200 pages  5.0 MB  0.0 s");
}

TEST_CASE("save progress: a save that ends well") {
  const Outcome outcome = RunSave(
      "+Background saving started\r\n",
      {"rdb_bgsave_in_progress:1\r\nrdb_last_bgsave_status:ok\r\nsave_progress:0.5\r\n",
       "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\nsave_pages_written:7\r\n"});
  CHECK(outcome.status == 0);
  CHECK(outcome.out.find(" 50.0%") != std::string::npos);
  CHECK(outcome.out.find("BGSAVE ok  7 pages") != std::string::npos);
  CHECK(outcome.errors == "");
}

TEST_CASE("save progress: failures name the reason") {
  Outcome outcome = RunSave(
      "+Background saving started\r\n",
      {"rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:err\r\nsave_last_error:no space\r\n"});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors == "BGSAVE failed: no space\n");
  outcome = RunSave("-ERR Background save already in progress\r\n", {});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors == "BGSAVE failed: ERR Background save already in progress\n");
  outcome = RunSave("+Background saving started\r\n", {"role:master\r\n"});
  CHECK(outcome.status == 1);
  CHECK(outcome.errors.find("does not tell") != std::string::npos);
}

}  // namespace
}  // namespace verso::cli
