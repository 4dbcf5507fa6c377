#include "server/resp/reply.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>

namespace verso::server {
namespace {

std::string Pending(const OutputChain& out) {
  std::vector<iovec> pieces(out.blocks() + 1);
  pieces.resize(out.Gather(pieces.data(), pieces.size()));
  std::string bytes;
  for (const iovec& piece : pieces) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return bytes;
}

struct Writer {
  BufferPool pool;
  OutputChain out{&pool};
  ReplyWriter reply{&out};

  std::string Take() {
    std::string bytes = Pending(out);
    out.Clear();
    return bytes;
  }
};

TEST_CASE("reply: the same values in both protocols") {
  Writer writer;
  const auto write_all = [&writer] {
    ReplyWriter& reply = writer.reply;
    reply.Map(1);
    reply.Bulk("k");
    reply.Set(1);
    reply.Integer(-5);
    reply.Null();
    reply.NullArray();
    reply.Bool(true);
    reply.Double(0.1);
    reply.Verbatim("text");
    reply.Push(1);
    reply.Integer(10);
  };
  write_all();
  CHECK(
      writer.Take() ==
      "*2\r\n$1\r\nk\r\n*1\r\n:-5\r\n$-1\r\n*-1\r\n:1\r\n$3\r\n0.1\r\n$4\r\ntext\r\n*1\r\n:10\r\n");
  writer.reply.set_protocol(3);
  write_all();
  CHECK(writer.Take() ==
        "%1\r\n$1\r\nk\r\n~1\r\n:-5\r\n_\r\n_\r\n#t\r\n,0.1\r\n=8\r\ntxt:text\r\n>1\r\n:10\r\n");
}

TEST_CASE("reply: an error cannot smuggle in a second reply") {
  Writer writer;
  writer.reply.Error("ERR unknown 'a\r\n+OK\r\n'");
  CHECK(writer.Take() == "-ERR unknown 'a  +OK  '\r\n");
  CHECK(writer.reply.errors() == 1);
  CHECK(writer.reply.last_error_code() == "ERR");
}

TEST_CASE("reply: doubles in the shortest form") {
  char text[32];
  const auto shown = [&text](double value) { return std::string(text, FormatDouble(value, text)); };
  CHECK(shown(3) == "3");
  CHECK(shown(-0.0) == "-0");
  CHECK(shown(0.1) == "0.1");
  CHECK(shown(1.5e300) == "1.5e+300");
  CHECK(shown(12345678901234567.0) == "12345678901234568");
  CHECK(shown(1e17) == "100000000000000000");
  CHECK(shown(1e20) == "1e+20");
  CHECK(shown(-1.5) == "-1.5");
  CHECK(shown(0.0001) == "0.0001");
  CHECK(shown(0.00012345) == "1.2345e-4");
  CHECK(shown(0.000001) == "0.000001");
  CHECK(shown(1e-7) == "1e-7");
  CHECK(shown(-1.25e-9) == "-1.25e-9");
  CHECK(shown(17179869184.5) == "17179869184.5");
  CHECK(shown(9223372036854775808.0) == "9223372036854776000");
  CHECK(shown(5e-324) == "5e-324");
  CHECK(shown(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(shown(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(shown(std::nan("")) == "nan");
}

TEST_CASE("reply: bulk strings around the block's border arrive whole") {
  Writer writer;
  for (const size_t bytes : {size_t{0}, size_t{1023}, size_t{1024}, size_t{1025}, size_t{16000},
                             OutputChain::kRoomMax, OutputChain::kRoomMax + 1, size_t{100000}}) {
    const std::string value(bytes, 'v');
    writer.reply.Integer(7);
    writer.reply.Bulk(value);
    writer.reply.Bulk("end");
    CHECK(writer.Take() ==
          ":7\r\n$" + std::to_string(bytes) + "\r\n" + value + "\r\n$3\r\nend\r\n");
  }
  CHECK(writer.out.blocks() == 0);
}

TEST_CASE("output chain: consumed in any pieces, every byte once, blocks given back") {
  BufferPool pool;
  OutputChain out(&pool);
  std::string all;
  for (int i = 0; i < 20000; ++i) all += std::to_string(i) + ",";
  for (size_t at = 0; at < all.size(); at += 777) out.Append(std::string_view(all).substr(at, 777));
  REQUIRE(out.bytes_pending() == all.size());
  std::string seen;
  size_t step = 1;
  while (!out.empty()) {
    iovec piece{};
    REQUIRE(out.Gather(&piece, 1, step) == 1);
    seen.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    out.Consume(piece.iov_len);
    step = step * 3 % 40001 + 1;
  }
  CHECK(seen == all);
  CHECK(out.blocks() == 0);
  CHECK(pool.bytes_used() == 0);
}

TEST_CASE("output chain: truncation takes back what came after the mark") {
  BufferPool pool;
  OutputChain out(&pool);
  const std::string keep(50000, 'k');
  out.Append(keep);
  out.Consume(10);
  const uint64_t mark = out.written();
  out.Append(std::string(90000, 'x'));
  out.TruncateTo(mark);
  out.Append("tail");
  CHECK(Pending(out) == keep.substr(10) + "tail");
  out.TruncateTo(out.consumed());
  CHECK(out.empty());
  CHECK(pool.bytes_used() == 0);
}

}  // namespace
}  // namespace verso::server
