// AppendOnlyReader: every cut and every flipped bit of a file, and what is longer than the buffer.
#include "server/append_only_reader.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

namespace verso::server {
namespace {

using Found = AppendOnlyReader::Found;
using Command = std::vector<std::string>;

std::string Encoded(const Command& command) {
  std::string bytes = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& word : command) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

class FileOf {
 public:
  explicit FileOf(const std::string& bytes)
      : path_("/tmp/verso-aof-test-" + std::to_string(getpid())) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~FileOf() { unlink(path_.c_str()); }
  FileOf(const FileOf&) = delete;
  FileOf& operator=(const FileOf&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Content {
  std::vector<Command> commands;
  bool torn = false;
  uint64_t torn_at = 0;
  std::string fault;
};

Content ContentOf(const std::string& bytes, uint64_t from = 0) {
  const FileOf file(bytes);
  AppendOnlyReader reader;
  REQUIRE(reader.Open(file.path()).has_value());
  reader.Seek(from);
  Content content;
  while (true) {
    const Result<Found> found = reader.Next();
    if (!found) {
      content.fault = found.error().context;
      return content;
    }
    if (*found != Found::kCommand) {
      content.torn = *found == Found::kTorn;
      content.torn_at = reader.begin();
      return content;
    }
    Command& command = content.commands.emplace_back();
    for (const ByteView word : reader.command()) command.emplace_back(word);
  }
}

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {
      {"SELECT", "0"},    {"SET", "key", "a value of some length"},
      {"MULTI"},          {"INCR", "n"},
      {"EXEC"},           {"RPUSH", "list", "", "12", "\r\n", std::string(120, 'x')},
      {"DEL", "key", "n"}};
  return commands;
}

// Where each command begins, and the end.
std::string File(std::vector<size_t>* begins) {
  std::string bytes;
  for (const Command& command : Commands()) {
    if (begins->size() == 2) bytes += "#TS:1668000000\r\n";
    begins->push_back(bytes.size());
    bytes += Encoded(command);
  }
  begins->push_back(bytes.size());
  return bytes;
}

TEST_CASE("append-only file: a cut leaves whole commands") {
  std::vector<size_t> begins;
  const std::string file = File(&begins);
  for (size_t length = 0; length <= file.size(); ++length) {
    const Content content = ContentOf(file.substr(0, length));
    INFO("cut at " << length << ": " << content.fault);
    CHECK(content.fault.empty());
    size_t whole = 0;
    while (whole < Commands().size() &&
           begins[whole] + Encoded(Commands()[whole]).size() <= length) {
      ++whole;
    }
    CHECK(content.commands ==
          std::vector<Command>(Commands().begin(),
                               Commands().begin() + static_cast<ptrdiff_t>(whole)));
    CHECK(content.torn_at <= length);
    CHECK((content.torn || content.torn_at == length));
  }
}

// What is read is an error, or differs within one word, or the last command is taken for torn.
TEST_CASE("append-only file: no flipped bit loses a command silently") {
  std::vector<size_t> begins;
  const std::string file = File(&begins);
  for (size_t at = 0; at < file.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const Content content = ContentOf(damaged);
      if (!content.fault.empty()) continue;
      INFO("bit " << bit << " at " << at);
      const bool in_last = at >= begins[begins.size() - 2];
      if (content.torn) {
        CHECK(in_last);
        continue;
      }
      REQUIRE(content.commands.size() == Commands().size());
      int differences = 0;
      for (size_t i = 0; i < Commands().size(); ++i) {
        REQUIRE(content.commands[i].size() == Commands()[i].size());
        for (size_t j = 0; j < Commands()[i].size(); ++j) {
          REQUIRE(content.commands[i][j].size() == Commands()[i][j].size());
          differences += content.commands[i][j] != Commands()[i][j] ? 1 : 0;
        }
      }
      CHECK(differences <= 1);
    }
  }
}

TEST_CASE("append-only file: longer than what is read at a time") {
  std::string file;
  std::vector<Command> commands;
  for (const size_t bytes : {size_t{10}, size_t{3} << 20, size_t{1} << 20, size_t{0}}) {
    commands.push_back({"SET", "key", std::string(bytes, static_cast<char>('a' + bytes % 26))});
  }
  Command many = {"RPUSH", "list"};
  for (int i = 0; i < 300'000; ++i) many.push_back(std::to_string(i));
  commands.push_back(many);
  for (const Command& command : commands) file += Encoded(command);
  CHECK((ContentOf(file).commands == commands));
  const Content cut = ContentOf(file.substr(0, file.size() - 1));
  CHECK((cut.torn && cut.commands.size() == commands.size() - 1));
  const size_t second = Encoded(commands[0]).size();
  CHECK(ContentOf(file, second).commands.size() == commands.size() - 1);
  // A length that reaches beyond the end, far from what shows that it is wrong.
  std::string damaged = file;
  damaged.replace(damaged.find("$3145728"), 8, "$9145728");
  CHECK_THAT(ContentOf(damaged).fault,
             Catch::Contains("offset " + std::to_string(second)) && Catch::Contains("not a cut"));
}

TEST_CASE("append-only file: what is none") {
  AppendOnlyReader reader;
  CHECK_THAT(reader.Open("/tmp/verso-no-such-file").error().context,
             Catch::Contains("No such file"));
  CHECK_THAT(reader.Open("/tmp").error().context, Catch::Contains("is no file"));
  for (const char* bytes :
       {"hello", "*0\r\n", "*-1\r\n", "*01\r\n$1\r\nx\r\n", "*x\r\n", "*1\r\n:1\r\n",
        "*1\n$1\r\nx\r\n", "*1\r\n$1\nx\r\n", "*1\r\n$-1\r\n"}) {
    INFO(bytes);
    CHECK(!ContentOf(bytes).fault.empty());
  }
  CHECK(!ContentOf("#" + std::string(2000, 'x') + "\n").fault.empty());
  CHECK(ContentOf("").commands.empty());
}

}  // namespace
}  // namespace verso::server
