#include "client/cli/json.h"

#include <catch2/catch.hpp>

namespace verso::cli {
namespace {

using Kind = Reply::Kind;

Reply String(std::string text) { return Reply::Text(Kind::kString, std::move(text)); }

TEST_CASE("json: scalars") {
  CHECK(JsonText(Reply()) == "null");
  CHECK(JsonText(Reply::Bool(true)) == "true");
  CHECK(JsonText(Reply::Integer(-7)) == "-7");
  CHECK(JsonText(Reply::Text(Kind::kDouble, "3.25")) == "3.25");
  CHECK(JsonText(Reply::Text(Kind::kDouble, "-inf")) == "\"-inf\"");
  CHECK(JsonText(Reply::Text(Kind::kDouble, "nan")) == "\"nan\"");
  CHECK(JsonText(Reply::Text(Kind::kBigNumber, "123456789012345678901")) ==
        "123456789012345678901");
  CHECK(JsonText(Reply::Text(Kind::kStatus, "OK")) == "\"OK\"");
  CHECK(JsonText(Reply::Text(Kind::kError, "ERR \"x\"")) == "{\"error\":\"ERR \\\"x\\\"\"}");
}

TEST_CASE("json: aggregates") {
  CHECK(JsonText(Reply::Aggregate(Kind::kArray, {})) == "[]");
  CHECK(JsonText(Reply::Aggregate(Kind::kMap, {})) == "{}");
  CHECK(JsonText(Reply::Aggregate(Kind::kSet, {Reply::Integer(1), String("a")})) == "[1,\"a\"]");
  CHECK(JsonText(Reply::Aggregate(
            Kind::kMap, {Reply::Integer(0), Reply::Bool(false), String("k"),
                         Reply::Aggregate(Kind::kArray, {Reply(), Reply::Integer(2)})})) ==
        "{\"0\":false,\"k\":[null,2]}");
  CHECK(JsonText(Reply::Aggregate(Kind::kMap, {Reply::Aggregate(Kind::kArray, {String("x")}),
                                               Reply::Integer(1)})) == "{\"[\\\"x\\\"]\":1}");
}

TEST_CASE("json: UTF-8 stays, control characters and other bytes are escaped") {
  CHECK(JsonString("a\"\\\n\r\t\x01\x1f\x7f") == "\"a\\\"\\\\\\n\\r\\t\\u0001\\u001f\\u007f\"");
  CHECK(JsonString("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
  CHECK(JsonString("\xff\xc3") == "\"\\u00ff\\u00c3\"");
  CHECK(JsonString("\xc0\xaf") == "\"\\u00c0\\u00af\"");                        // overlong
  CHECK(JsonString("\xed\xa0\x80") == "\"\\u00ed\\u00a0\\u0080\"");             // surrogate
  CHECK(JsonString("\xf4\x90\x80\x80") == "\"\\u00f4\\u0090\\u0080\\u0080\"");  // too large
  CHECK(JsonString("\xe2\x82") == "\"\\u00e2\\u0082\"");                        // cut off
  CHECK(JsonString(std::string_view("\0", 1)) == "\"\\u0000\"");
}

}  // namespace
}  // namespace verso::cli
